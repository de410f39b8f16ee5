"""Name of the app, as Django and the admin show it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IngestConfig(AppConfig):
    """Name of the app."""

    name = "ingest"
    verbose_name = _("Ingest")
