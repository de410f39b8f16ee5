"""Name of the app, so that its sentences are found."""

from django.apps import AppConfig


class ApiBaseConfig(AppConfig):
    """Name of the app."""

    name = "api_base"
