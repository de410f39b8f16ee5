"""The app's name."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DashboardConfig(AppConfig):
    """Pages for the owner of the shop."""

    name = "dashboard"
    verbose_name = _("Dashboard")
