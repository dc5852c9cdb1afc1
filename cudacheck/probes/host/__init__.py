"""Host probes: run by our own interpreter, so they may use our dependencies (nvidia-ml-py)."""
