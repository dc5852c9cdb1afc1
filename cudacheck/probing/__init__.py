"""Runs the probes in children, and finds the interpreter to inspect."""
