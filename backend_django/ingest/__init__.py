"""Bringing a shop's data in: readers, presets, load."""
