"""How products, variants and categories come in: whole, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from products.models import Category, Product, ProductVariant, StockMovement
from products.services import Move, move_many


class CatalogueError(ValueError):
    """A category inside itself, or a SKU that is taken."""


def checked_parent(category: Category | None, parent: Category | None) -> Category | None:
    """`parent`, unless `category` would be inside itself by it, directly or by way of others: CatalogueError."""
    if category is None or parent is None:
        return parent
    above: dict[int, int | None] = dict(Category.objects.values_list("pk", "parent"))
    seen: set[int] = set()
    pk: int | None = parent.pk
    while pk is not None and pk not in seen:
        if pk == category.pk:
            raise CatalogueError(
                _("The category {name} cannot be inside {parent}: {parent} is {name} itself or inside it.").format(
                    name=category.name, parent=parent.name
                )
            )
        seen.add(pk)
        pk = above.get(pk)
    return parent


@transaction.atomic
def add_product(product: Product, variants: Sequence[Mapping[str, Any]] = ()) -> Product:
    """Store a new product with its variants (see `add_variants`)."""
    product.save()
    add_variants(product, variants)
    return product


@transaction.atomic
def add_variants(product: Product, variants: Sequence[Mapping[str, Any]]) -> list[ProductVariant]:
    """Store new variants of `product`: fields of ProductVariant, and `opening_stock`, booked as the first movement.

    As many queries for a hundred as for one. Raises CatalogueError when a SKU is taken or comes twice.
    """
    skus = [values["sku"] for values in variants]
    taken = set(ProductVariant.objects.filter(sku__in=skus).values_list("sku", flat=True)) if skus else set()
    twice = {sku for sku in skus if skus.count(sku) > 1}
    if taken | twice:
        raise CatalogueError(_("These SKUs are taken already: {skus}.").format(skus=", ".join(sorted(taken | twice))))
    opening = {values["sku"]: values.get("opening_stock", 0) for values in variants}
    rows = ProductVariant.objects.bulk_create(
        ProductVariant(product=product, **{k: v for k, v in values.items() if k != "opening_stock"})
        for values in variants
    )
    kind = StockMovement.Kind.OPENING
    moves = [Move(v.pk, kind, opening[v.sku], f"opening:variant:{v.pk}") for v in rows if opening[v.sku]]
    if moves:
        move_many(moves)
    for row in rows:
        row.stock = opening[row.sku]
    return rows
