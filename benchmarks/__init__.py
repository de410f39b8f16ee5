"""Measurements against other software; not installed, run from the repository."""
