"""The pages, one file per entry of the menu."""
