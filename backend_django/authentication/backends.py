"""Signing in with an e-mail, whatever its case; what a role may do."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend

from authentication import roles


class EmailBackend(ModelBackend):
    """Django's own backend over `User.objects.get_by_natural_key`, which ignores case.

    An unknown e-mail costs one password hash as well, so that the time of the answer tells nothing; inactive users
    are refused. A role gives permissions of its own (`authentication.roles`); what the role admin may not do with other
    users is the business of `authentication.admin`.
    """

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        """True when the role gives the permission, or when it was given to the user by hand."""
        by_role = user_obj.is_active and roles.grants(getattr(user_obj, "role", None), perm)
        return by_role or super().has_perm(user_obj, perm, obj=obj)

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        """True when the user may do anything in this app."""
        by_role = user_obj.is_active and roles.grants_any(getattr(user_obj, "role", None), app_label)
        return by_role or super().has_module_perms(user_obj, app_label)
