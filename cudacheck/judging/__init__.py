"""Facts in, findings and a verdict out. Pure."""
