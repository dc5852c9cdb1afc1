"""Measured code: timing, kernels, decoder; stdlib and torch only, runs inside the patient."""
