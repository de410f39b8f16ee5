"""Who may do what with the shop's rows: Django's own permissions, asked for by what the call does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.permissions import BasePermission

if TYPE_CHECKING:  # rest_framework.views itself loads permission classes: importing it would go round in a circle
    from rest_framework.request import Request

VERBS = {
    "list": "view", "retrieve": "view", "metadata": "view", "create": "add", "update": "change",
    "partial_update": "change", "destroy": "delete",
}  # fmt: skip
"""What an action of a view does to the rows of its model; any other action that names nothing only looks."""


class ByPermission(BasePermission):
    """The user has the permissions that the view's action needs: `view.needs[action]`, else by what the action does."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """True for a signed-in, active user with the permission."""
        user = request.user
        return bool(user and user.is_authenticated and user.is_active and user.has_perms(needed(view)))


def needed(view: Any) -> tuple[str, ...]:
    """The permissions, such as `products.change_product`, that the present action of `view` needs."""
    action = view.action or "list"  # a method that the address does not know: who may look is told so
    if action in view.needs:
        return tuple(view.needs[action])
    meta = view.queryset.model._meta
    return (f"{meta.app_label}.{VERBS.get(action, 'view')}_{meta.model_name}",)
