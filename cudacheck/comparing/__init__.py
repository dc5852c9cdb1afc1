"""What is different between two reports, what of it matters first, and why the second fails."""
