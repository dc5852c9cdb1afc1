"""What lint found: one file a format. Each declares FORMAT."""
