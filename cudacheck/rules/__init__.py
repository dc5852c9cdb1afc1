"""Rules: one file each, pure functions over facts; the file name is the rule id."""
