"""Sources: text that people paste, read into the same facts that the probes yield."""
