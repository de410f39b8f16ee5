"""Who may see what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission

from authentication.models import Role

if TYPE_CHECKING:  # rest_framework.views itself loads this module: importing it here would go round in a circle
    from rest_framework.request import Request
    from rest_framework.views import APIView


class IsSuperuserOrAdmin(BasePermission):
    """Superusers and the role `admin`; everybody else is refused."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """True for a signed-in, active superuser or admin."""
        user = request.user
        return bool(
            user
            and user.is_authenticated
            and user.is_active
            and (user.is_superuser or getattr(user, "role", None) == Role.ADMIN)
        )
