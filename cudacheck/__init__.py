"""The doctor for CUDA and PyTorch environments: probe → fact → rule → finding → remedy."""

__version__ = "0.1.0"
