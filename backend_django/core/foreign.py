"""Sentences of libraries that bring no Spanish, or none that reads well: Django keeps one catalogue, and ours wins.

Nothing imports this module; it is read when the translations are collected.
"""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

REST = (  # rest_framework, whose Spanish says it otherwise
    _("Authentication credentials were not provided."),
)
TOKENS = (  # rest_framework_simplejwt
    _("Authorization header must contain two space-delimited values"),
    _("Given token not valid for any token type"),
    _("Token contained no recognizable user identification"),
    _("Token has no id"),
    _("Token has no type"),
    _("Token has wrong type"),
    _("Token is expired"),
    _("Token is invalid"),
    _("Token is invalid or expired"),
    _("User is inactive"),
    _("User not found"),
    _("Blacklisted Token"),
    _("Blacklisted Tokens"),
    _("Outstanding Token"),
    _("Outstanding Tokens"),
    _("Token Blacklist"),
    _("created at"),
    _("expires at"),
)
SIGN_INS = (  # axes
    _("Access lock out"),
    _("Attempt Time"),
    _("Clean up expired attempts"),
    _("Failed Logins"),
    _("Form Data"),
    _("GET Data"),
    _("HTTP Accept"),
    _("IP Address"),
    _("Locked Out"),
    _("Logout Time"),
    _("Meta Data"),
    _("POST Data"),
    _("Path"),
    _("Session key hash (sha256)"),
    _("User Agent"),
    _("Username"),
    _("access attempt"),
    _("access attempts"),
    _("access attempt expiration"),
    _("access attempt expirations"),
    _("access failure"),
    _("access failures"),
    _("access log"),
    _("access logs"),
)
