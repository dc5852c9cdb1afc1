"""Faults of recipes, one file each. The file's name is the rule's id, its docstring its page."""
