"""What each role of the staff may do with the shop's own rows, before anybody is given more by hand.

Superusers and the role admin may do everything, customers nothing but look at their own orders (`orders.views`). What
one person may do beyond their role is given in the admin, as Django's permissions. The table of
`docs/reference/permissions.md` is compared with this one by a test.
"""

from __future__ import annotations

from collections.abc import Mapping

from authentication.models import Role

EVERYTHING_OF = frozenset({"api_base", "authentication", "products", "purchasing", "orders", "ingest", "core"})
"""Apps in which the role admin has every permission."""

READ = frozenset(
    {
        "authentication.view_customer",
        "products.view_category", "products.view_product", "products.view_productvariant",
        "products.view_stockmovement",
        "orders.view_order", "orders.view_orderitem", "orders.view_orderreturn",
        "purchasing.view_supplier", "purchasing.view_supplieritem",
        "purchasing.view_purchaseorder", "purchasing.view_purchaseorderline",
    }
)  # fmt: skip
PERMISSIONS: Mapping[str, frozenset[str]] = {
    Role.EMPLOYEE: READ | {"orders.add_order", "orders.add_orderitem", "products.add_stockmovement"},
    Role.MANAGER: READ
    | {"authentication.add_customer", "authentication.change_customer"}
    | {f"products.{verb}_{name}" for verb in ("add", "change") for name in ("category", "product", "productvariant")}
    | {"products.add_stockmovement"}
    | {f"orders.{verb}_{name}" for verb in ("add", "change") for name in ("order", "orderitem")}
    | {"orders.delete_orderitem", "orders.add_orderreturn"}
    | {
        f"purchasing.{verb}_{name}"
        for verb in ("add", "change")
        for name in ("supplier", "supplieritem", "purchaseorder", "purchaseorderline")
    }
    | {"purchasing.delete_supplieritem", "purchasing.delete_purchaseorderline"},
}


def grants(role: str | None, permission: str) -> bool:
    """Does the role alone give this permission, such as `products.change_product`?"""
    if role == Role.ADMIN:
        return permission.split(".", maxsplit=1)[0] in EVERYTHING_OF
    return permission in PERMISSIONS.get(role or "", frozenset())


def grants_any(role: str | None, app_label: str) -> bool:
    """Does the role alone give any permission in this app?"""
    if role == Role.ADMIN:
        return app_label in EVERYTHING_OF
    return any(permission.startswith(f"{app_label}.") for permission in PERMISSIONS.get(role or "", ()))
