"""One file for each format: text in, facts out. What does not parse is a note, and its readable rest is judged."""
