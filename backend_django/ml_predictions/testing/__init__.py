"""Tests that every shop's source must pass, for whoever joins one: `docs/how-to/join-another-django-shop.md`."""
