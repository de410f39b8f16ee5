"""Erasing a person: from the shop's tables, stored results, model files, texts and files, with a certificate."""
