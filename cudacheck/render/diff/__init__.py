"""What is different between reports: one file a format. Each declares FORMAT."""
