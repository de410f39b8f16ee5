"""The project's own app: it holds commands, start-up checks and translations of the edge."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """Name of the app."""

    name = "core"
