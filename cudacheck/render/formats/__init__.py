"""One file a format; its name is what --format takes. Each declares FORMAT."""
