"""Signing in with an e-mail, whatever its case."""

from __future__ import annotations

from django.contrib.auth.backends import ModelBackend


class EmailBackend(ModelBackend):
    """Django's own backend over `User.objects.get_by_natural_key`, which ignores case."""
