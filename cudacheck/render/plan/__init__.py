"""What to install, and why: one file a format. Each declares FORMAT."""

from cudacheck.render.plan._outline import block, headline

__all__ = ["block", "headline"]
