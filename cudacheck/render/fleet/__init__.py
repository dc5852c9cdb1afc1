"""A fleet judged: one file a format. Each declares FORMAT."""
