"""Patient probes: run by the inspected interpreter; Python 3.8 syntax, stdlib and what is being inspected."""
