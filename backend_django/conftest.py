"""Fixtures for all tests: a fixed cast, a small shop, and a run that only records.

Ada is a superuser, Ben has the role admin, Cleo is a customer, Eve an employee, Max a manager.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

# As a training has it, before the libraries ask: the last bits of a sum hang on the number of threads, and a process
# that a test starts must add up as the test itself.
for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(threads, "1")

import numpy as np
import pytest
from django.conf import settings as project
from django.db import transaction
from django.test import override_settings

from ml_predictions.testing.runs import RecordingRun

pytest.register_assert_rewrite("ml_predictions.testing.source_contract", "ml_predictions.testing.service_contract")


@pytest.fixture(autouse=True)
def _own_folder(settings: Any, tmp_path: Path) -> None:
    """Model files of a test go to a folder of its own; passwords are hashed quickly; no request is counted."""
    from ml_predictions.models_owner import in_force

    settings.ML_PREDICTIONS = {**settings.ML_PREDICTIONS, "ARTIFACT_ROOT": tmp_path / "models", "LIVE": "no"}
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.LANGUAGE_CODE = "en"
    settings.API_RATES = {}  # a test that counts requests says so
    settings.API_RATES_FILE = tmp_path / "api_rates.sqlite3"
    in_force.values, in_force.until = {}, math.inf  # the owner has decided nothing, and no test pays for asking


@contextmanager
def undone_at_the_end(blocker: Any, folder: Path) -> Iterator[None]:
    """Around what a class or a file of tests shares: rows that are taken back at the end, model files in `folder`.

    Every test inside sees those rows, and its own writes are taken back as ever.
    """
    mine = {**project.ML_PREDICTIONS, "ARTIFACT_ROOT": folder, "LIVE": "no"}
    with blocker.unblock(), override_settings(ML_PREDICTIONS=mine), transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture
def run(db: None) -> RecordingRun:
    """A run to train with, over a row that exists."""
    from ml_predictions.models import MLTrainingLog

    return RecordingRun(MLTrainingLog.objects.create(kind="test", status="running").pk)


@pytest.fixture
def cast(db: None) -> dict[str, Any]:
    """Ada, Ben, Cleo, Eve and Max, by first name in lower case; each one's password is `pass-word-1`."""
    from authentication.models import User

    people: dict[str, dict[str, Any]] = {
        "ada": {"role": "admin", "is_superuser": True},
        "ben": {"role": "admin"},
        "cleo": {"role": "customer"},
        "eve": {"role": "employee"},
        "max": {"role": "manager"},
    }
    return {
        name: User.objects.create_user(f"{name}@shop.test", "pass-word-1", first_name=name.title(), **extra)
        for name, extra in people.items()
    }


def fill_shop(*, orders: int = 300, products: int = 24, customers: int = 60, days: int = 400, seed: int = 7) -> None:
    """Write a small shop straight into its tables: `orders` completed orders over `days` days up to 2026-06-30.

    Two variants a product, four categories, two suppliers, a weekly season, every tenth order by a guest, one
    return in about 25 lines. The same seed gives the same shop.
    """
    from authentication.models import User
    from orders.models import Order, OrderItem, OrderReturn
    from products.models import Category, Product, ProductVariant, StockMovement
    from purchasing.models import Supplier, SupplierItem

    rng = np.random.default_rng(seed)
    categories = [Category.objects.create(name=name) for name in ("Dresses", "Shirts", "Shoes", "Bags")]
    styles = Product.objects.bulk_create(
        Product(
            code=f"P{i:03}",
            name=f"{('Linen', 'Cotton', 'Silk')[i % 3]} {categories[i % 4].name.lower()[:-1]} {i}",
            category=categories[i % 4],
            description=f"{('red', 'blue', 'green')[i % 3]} {categories[i % 4].name.lower()} for every day",
            price=Decimal(20 + 5 * (i % 7)),
        )
        for i in range(products)
    )
    variants = ProductVariant.objects.bulk_create(
        ProductVariant(
            product=p, sku=f"{p.code}-{size}", options={"size": size}, cost=p.price / 2, stock=20 + i % 15, pack_size=1
        )
        for i, p in enumerate(styles)
        for size in ("S", "M")
    )
    StockMovement.objects.bulk_create(
        StockMovement(variant=v, kind="opening", units=v.stock, reference=f"opening:{v.sku}") for v in variants
    )
    suppliers = [Supplier.objects.create(name=n, lead_time_days=d) for n, d in (("Norte", 7), ("Sur", 21))]
    SupplierItem.objects.bulk_create(SupplierItem(variant=v, supplier=suppliers[v.pk % 2]) for v in variants)
    people = User.objects.bulk_create_customers(
        User(email=f"c{i}@mail.test", external_id=str(i), first_name=f"Customer {i}") for i in range(customers)
    )
    end = datetime(2026, 6, 30, 18, tzinfo=UTC)
    popularity = 1 / np.arange(1, len(variants) + 1)
    loyal = 1 / np.arange(1, customers + 1) ** 0.7 if customers else np.empty(0)
    placed: Any = np.sort(rng.integers(0, max(days * 24 - 9, 1), orders))[::-1] if orders else []
    rows = [
        Order(
            order_number=f"A{i:05}",
            customer=None if i % 10 == 9 or not people else people[rng.choice(customers, p=loyal / loyal.sum())],
            status="completed" if i % 2 else "delivered",
            placed_at=end - timedelta(hours=int(hours)),
        )
        for i, hours in enumerate(placed)
    ]
    rows = Order.objects.bulk_create(rows)
    items = []
    for order in rows:
        chosen = rng.choice(
            len(variants),
            size=min(int(rng.integers(1, 5)), len(variants)),
            replace=False,
            p=popularity / popularity.sum(),
        )
        for v in chosen:
            item = OrderItem(
                order=order,
                variant=variants[v],
                units=int(rng.integers(1, 4)) + (order.placed_at.weekday() >= 4),
                unit_price=variants[v].product.price,
            )
            item.amount = item.computed_amount()
            items.append(item)
    items = OrderItem.objects.bulk_create(items)
    OrderReturn.objects.bulk_create(
        OrderReturn(item=x, units=1, amount=x.unit_price, returned_at=min(x.order.placed_at + timedelta(days=6), end))
        for x in items[::25]
    )


@pytest.fixture
def shop(db: None) -> None:
    """The small shop of `fill_shop` with its defaults."""
    fill_shop()


@pytest.fixture
def make_shop(db: None) -> Any:
    """`fill_shop`, for a shop of another size."""
    return fill_shop
