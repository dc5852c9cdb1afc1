"""`cudacheck lint`: read a recipe, run nothing, and tell which lines cannot work or work slowly.

reader (`readers/`) → facts (`facts.py`) → rule (`rules/`) → finding → format (`formats/`). What is published is
asked in `known.py` alone.
"""
