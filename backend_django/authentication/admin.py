"""Users in the admin: by e-mail, with role and password; nobody raises themselves."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from authentication.admin_tools import KeepsHistory, LargeTableAdmin
from authentication.models import Role, User

POWERS = ("role", "is_staff")
SUPERUSER_POWERS = ("is_superuser", "groups", "user_permissions")


class UserAddForm(AdminUserCreationForm):
    """A new user: e-mail, role, and a password or none."""

    class Meta:
        model = User
        fields = ("email", "role")


class UserEditForm(UserChangeForm):
    """An existing user; the password has a page of its own."""

    class Meta:
        model = User
        fields = "__all__"


@admin.register(User)
class UserAdmin(KeepsHistory, LargeTableAdmin, DjangoUserAdmin):
    """Staff and customers. A superuser may change everyone, an admin everyone but superusers, other staff (with
    Django's permission) everyone but admins; only the first two give roles, only the first gives superpowers."""

    form = UserEditForm
    add_form = UserAddForm
    list_display = ("__str__", "whole_name", "role", "is_active", "source", "external_id", "last_login")
    list_filter = ("role",)
    ordering = ("-id",)
    sortable_by = ()
    search_fields = ("email", "external_id", "last_name")
    search_help_text = _("What the e-mail, the external number or the last name begins with.")
    readonly_fields = ("last_login", "date_joined")
    filter_horizontal = ("groups", "user_permissions")
    history = ("orders",)
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        (_("Person"), {"fields": ("first_name", "last_name", "phone", "country", "source", "external_id")}),
        (_("What they may do"), {"fields": ("role", "is_active", *POWERS[1:], *SUPERUSER_POWERS)}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("email", "role", "usable_password", "password1", "password2")}),
    )

    @admin.display(description=_("first and last name"))
    def whole_name(self, user: User) -> str:
        """Both names, as far as they are known."""
        return user.full_name

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Nobody may give powers that they do not have."""
        fields = tuple(super().get_readonly_fields(request, obj))
        if not _is_admin(request.user):
            fields += POWERS
        return fields if _is_super(request.user) else fields + SUPERUSER_POWERS

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes a user with more powers than their own."""
        return super().has_change_permission(request, obj) and _may_touch(request.user, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes a user with more powers than their own, nor one with orders."""
        return super().has_delete_permission(request, obj) and _may_touch(request.user, obj)


def _is_super(user: Any) -> bool:
    return bool(user.is_active and user.is_superuser)


def _is_admin(user: Any) -> bool:
    return bool(user.is_active and (user.is_superuser or getattr(user, "role", None) == Role.ADMIN))


def _may_touch(user: Any, other: Any) -> bool:
    if other is None or _is_super(user):
        return True
    if other.is_superuser:
        return False
    return _is_admin(user) or other.role != Role.ADMIN
