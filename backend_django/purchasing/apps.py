"""Name of the app, as Django and the admin show it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PurchasingConfig(AppConfig):
    """Name of the app."""

    name = "purchasing"
    verbose_name = _("Purchasing")
