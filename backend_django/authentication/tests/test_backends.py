"""What the roles may do."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission

from authentication import roles
from authentication.models import User


def test_the_role_admin_has_the_permissions_of_the_shops_apps_and_of_no_other(cast):
    ben = cast["ben"]
    assert ben.has_perm("orders.change_order")
    assert ben.has_module_perms("products")
    assert not ben.has_perm("sessions.delete_session")
    assert not ben.has_module_perms("axes")


@pytest.mark.parametrize(
    ("name", "may", "may_not"),
    [
        ("max", "products.change_product", "authentication.change_user"),
        ("max", "purchasing.add_purchaseorder", "orders.delete_order"),
        ("eve", "orders.add_order", "orders.change_order"),
        ("eve", "products.add_stockmovement", "products.change_product"),
    ],
)
def test_manager_and_employee_have_what_their_role_gives(cast, name, may, may_not):
    assert cast[name].has_perm(may)
    assert not cast[name].has_perm(may_not)
    cast[name].user_permissions.add(Permission.objects.get(codename=may_not.split(".")[1]))
    assert User.objects.get(pk=cast[name].pk).has_perm(may_not), "more can be given by hand"


def test_a_customer_has_no_permission_at_all(cast):
    every = {f"{app}.{code}" for app, code in Permission.objects.values_list("content_type__app_label", "codename")}
    assert {"orders.view_order", "products.view_product"} < every
    assert not [permission for permission in every if cast["cleo"].has_perm(permission)]


def test_every_permission_of_a_role_exists(db):
    every = {f"{app}.{code}" for app, code in Permission.objects.values_list("content_type__app_label", "codename")}
    assert set().union(*roles.PERMISSIONS.values()) <= every


def test_an_inactive_admin_may_do_nothing():
    assert not User(role="admin", is_active=False).has_perm("orders.change_order")
    assert not User(role="manager", is_active=False).has_perm("products.change_product")
