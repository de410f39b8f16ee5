"""Name of the app, its start-up checks, and where the owner's settings are read."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MLPredictionsConfig(AppConfig):
    """Name of the app."""

    name = "ml_predictions"
    verbose_name = _("Predictions")

    def ready(self) -> None:
        """Register the start-up checks; let `conf` ask the owner's row."""
        from ml_predictions import checks, conf  # noqa: F401
        from ml_predictions.models_owner import in_force

        conf.Owner.read = in_force
