"""Reports as JSON: written, read back, described, and with secrets taken out."""
