"""Signing in with an e-mail, whatever its case; what the role admin may do in Django's admin."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend

from authentication.models import Role

SHOP_APPS = frozenset({"authentication", "products", "purchasing", "orders", "ingest", "core"})
"""Apps whose pages the role admin may use without Django's permissions being given one by one."""


class EmailBackend(ModelBackend):
    """Django's own backend over `User.objects.get_by_natural_key`, which ignores case.

    An unknown e-mail costs one password hash as well, so that the time of the answer tells nothing; inactive users
    are refused. The role admin has every permission on the shop's own apps (what it may not do with other users is
    the business of `authentication.admin`).
    """

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        """True when the permission was given, or when the role admin implies it."""
        return super().has_perm(user_obj, perm, obj=obj) or _is_shop_admin(user_obj, perm.split(".", maxsplit=1)[0])

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        """True when the user may do anything in this app."""
        return super().has_module_perms(user_obj, app_label) or _is_shop_admin(user_obj, app_label)


def _is_shop_admin(user: Any, app_label: str) -> bool:
    return bool(user.is_active and getattr(user, "role", None) == Role.ADMIN and app_label in SHOP_APPS)
