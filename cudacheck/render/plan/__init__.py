"""What to install, and why: one file a format. Each declares FORMAT."""
