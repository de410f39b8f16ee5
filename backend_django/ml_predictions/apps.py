"""Name of the app, and its start-up checks."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MLPredictionsConfig(AppConfig):
    """Name of the app."""

    name = "ml_predictions"
    verbose_name = _("Predictions")

    def ready(self) -> None:
        """Register the start-up checks."""
        from ml_predictions import checks  # noqa: F401
