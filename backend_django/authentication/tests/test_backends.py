"""What the role admin may do in Django's admin."""

from __future__ import annotations

from authentication.models import User


def test_the_role_admin_has_the_permissions_of_the_shops_apps_and_of_no_other(cast):
    ben = cast["ben"]
    assert ben.has_perm("orders.change_order")
    assert ben.has_module_perms("products")
    assert not ben.has_perm("sessions.delete_session")
    assert not ben.has_module_perms("axes")


def test_other_roles_have_only_what_they_were_given(cast):
    assert not any(cast[name].has_perm("orders.change_order") for name in ("cleo", "eve", "max"))


def test_an_inactive_admin_may_do_nothing():
    assert not User(role="admin", is_active=False).has_perm("orders.change_order")
