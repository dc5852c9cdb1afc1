"""The command line: Typer only here."""
