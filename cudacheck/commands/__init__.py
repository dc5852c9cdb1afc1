"""What each command does, without the command line: one file a command."""
