"""Name of the app, as Django and the admin show it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AuthenticationConfig(AppConfig):
    """Name of the app."""

    name = "authentication"
    verbose_name = _("Authentication")
