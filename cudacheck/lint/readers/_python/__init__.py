"""Python, taken apart: a parsed module with its names, and one file for each kind of fact that it holds."""
