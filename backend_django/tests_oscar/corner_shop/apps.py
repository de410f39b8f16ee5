"""Name of the app."""

from django.apps import AppConfig


class CornerShop(AppConfig):
    """The smallest shop there is: the example of `docs/how-to/join-another-django-shop.md`."""

    name = "corner_shop"
    default_auto_field = "django.db.models.BigAutoField"
