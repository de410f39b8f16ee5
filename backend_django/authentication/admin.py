"""Users and service keys in the admin: by e-mail, with role and password; nobody raises themselves."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from authentication import service_keys
from authentication.admin_tools import AddOnlyAdmin, KeepsHistory, LargeTableAdmin, take_over
from authentication.models import Role, ServiceKey, User

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


class ServiceKeyForm(forms.ModelForm):
    """A new key: what it is for and how long it lives."""

    days = forms.IntegerField(label=_("days"), min_value=1, max_value=service_keys.MOST_DAYS, initial=365)

    class Meta:
        model = ServiceKey
        fields = ("name",)


@admin.register(ServiceKey)
class ServiceKeyAdmin(AddOnlyAdmin):
    """Keys of the shop's servers: made, shown once, revoked; never changed or deleted."""

    form = ServiceKeyForm
    list_display = ("name", "prefix", "owner", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_select_related = ("owner",)
    search_fields = ("name",)
    ordering = ("-id",)
    sortable_by = ("id",)
    actions = ("revoke",)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Make the key of who asks, and show it this once."""
        row, text = service_keys.issue(cast("User", request.user), obj.name, days=form.cleaned_data["days"])
        take_over(obj, row)
        told = gettext("This is the key; it is shown this once: {key}").format(key=text)
        self.message_user(request, told, messages.WARNING)

    @admin.action(description=_("Revoke"), permissions=["delete"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ServiceKey]) -> None:
        """End the chosen keys at once."""
        for key in queryset:
            service_keys.revoke(key, user=request.user)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Revoking needs the permission; no row is deleted."""
        return obj is None and request.user.has_perm("authentication.delete_servicekey")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Without deleting."""
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions


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
