"""What an inspection is made of: facts, findings, the report. Imports nothing of ours."""
