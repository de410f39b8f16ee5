"""Who may see what."""

from __future__ import annotations

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from authentication.models import Role


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
