"""Shops to fill another shop with, in no shop's own terms; what each read must then say stands beside them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np

from ml_predictions.sources.base import Source


@dataclass(frozen=True)
class Variant:
    """What is on the shelf."""

    sku: str
    on_hand: int = 0
    reserved: int = 0
    cost: Decimal | None = None
    size: str = ""


@dataclass(frozen=True)
class Product:
    """What a shopper sees; the price is that of all its variants."""

    code: str
    name: str
    category: str
    price: Decimal
    variants: tuple[Variant, ...]
    active: bool = True
    description: str = ""


@dataclass(frozen=True)
class Line:
    """Units of a variant at a price each."""

    sku: str
    units: int
    price: Decimal

    @property
    def amount(self) -> Decimal:
        """Of the whole line."""
        return self.units * self.price


@dataclass(frozen=True)
class Order:
    """An order; `customer` is the name of one, None: a guest with this e-mail."""

    number: str
    at: datetime
    lines: tuple[Line, ...]
    customer: str | None = None
    guest: str = "guest@mail.test"
    sold: bool = True
    currency: str = "EUR"
    is_test: bool = False


@dataclass(frozen=True)
class CameBack:
    """Units of an order's line that came back."""

    number: str
    sku: str
    units: int
    amount: Decimal
    at: datetime


@dataclass(frozen=True)
class Shop:
    """All that a shop is filled with. `counted`: somebody has counted its stock."""

    products: tuple[Product, ...] = ()
    customers: tuple[str, ...] = ()
    orders: tuple[Order, ...] = ()
    came_back: tuple[CameBack, ...] = ()
    counted: bool = True


class Filler(ABC):
    """Writes a `Shop` into the tables of the shop under test, by that shop's own ways, and makes its source."""

    lacks: frozenset[str] = frozenset()
    """What such a shop does not have: of `cost`, `test orders`, `returns`, `draft orders`, `erasing`.

    Test orders and returns that it lacks are not to be filled in.
    """

    @abstractmethod
    def fill(self, shop: Shop) -> None:
        """Write everything."""

    @abstractmethod
    def source(self) -> Source:
        """A new source over what has been written."""

    @abstractmethod
    def ids(self, kind: str) -> dict[str, str]:
        """For `product`, `variant`, `customer` and `order`: our code, SKU, name or number → the id in the frames."""

    def guest_id(self, email: str) -> str | None:
        """The id of a guest, in a shop that knows guests by their e-mail."""
        return None


def utc(month: int, day: int, hour: int, minute: int = 0, year: int = 2026) -> datetime:
    """A moment."""
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


def _line(sku: str, units: int, price: str) -> Line:
    return Line(sku, units, Decimal(price))


SMALL = Shop(
    products=(
        Product("A", "Linen dress", "Dresses", Decimal("50.00"), description="Light, for summer", variants=(
            Variant("A-S", on_hand=5, reserved=2, cost=Decimal("20.50"), size="S"),
            Variant("A-M", on_hand=3, cost=Decimal("20.50"), size="M"),
        )),
        Product("B", "Silk shirt", "Shirts", Decimal("30.00"), (Variant("B-1", cost=Decimal("11.00")),)),
        Product("C", "Old belt", "Shirts", Decimal("12.00"), (Variant("C-1", on_hand=4),), active=False),
    ),
    customers=("ana", "ben", "carla"),
    orders=(
        Order("1", utc(3, 2, 10), (_line("A-S", 2, "50.00"), _line("B-1", 1, "30.00")), "ana"),
        Order("2", utc(3, 5, 9, 30), (_line("A-M", 1, "50.00"),), "ben"),
        Order("3", utc(3, 31, 22, 30), (_line("B-1", 3, "30.00"),)),
        Order("4", utc(4, 10, 17), (_line("B-1", 1, "27.45"),), "ana"),
        Order("5", utc(4, 11, 9), (_line("A-S", 9, "50.00"),), "ben", sold=False),
        Order("6", utc(4, 12, 9), (_line("A-S", 1, "60.00"),), "ana", currency="USD"),
        Order("7", utc(4, 13, 9), (_line("A-S", 1, "50.00"),), "ben", is_test=True),
        Order("8", utc(1, 1, 9, year=2099), (_line("A-S", 1, "50.00"),), "ana"),
        Order("9", utc(4, 14, 11), (_line("C-1", 2, "12.00"),), "ben"),
    ),
    came_back=(CameBack("1", "A-S", 1, Decimal("50.00"), utc(3, 9, 23, 30)),),
)  # fmt: skip
"""Two customers, a guest and one who never bought; every reason for which a line does not count, once."""

SOLD_IN_SMALL = [
    ("1", "ana", "A", "A-S", utc(3, 2, 10), date(2026, 3, 2), 2.0, 100.0, False),
    ("1", "ana", "B", "B-1", utc(3, 2, 10), date(2026, 3, 2), 1.0, 30.0, False),
    ("2", "ben", "A", "A-M", utc(3, 5, 9, 30), date(2026, 3, 5), 1.0, 50.0, False),
    ("1", "ana", "A", "A-S", utc(3, 9, 23, 30), date(2026, 3, 10), -1.0, -50.0, True),
    ("3", None, "B", "B-1", utc(3, 31, 22, 30), date(2026, 4, 1), 3.0, 90.0, False),
    ("4", "ana", "B", "B-1", utc(4, 10, 17), date(2026, 4, 10), 1.0, 27.45, False),
    ("9", "ben", "C", "C-1", utc(4, 14, 11), date(2026, 4, 14), 2.0, 24.0, False),
]
"""The order lines of `SMALL` in Madrid, in the order of `frames.ORDER_LINES`."""


def boutique(*, orders: int, products: int = 12, customers: int = 30, days: int = 200, seed: int = 7) -> Shop:
    """A shop of so many orders over so many days until 2026-06-30; the same seed gives the same one.

    Two sizes a product, four categories; some products and customers are liked better; every tenth order is a guest's,
    one line in 25 comes back in part.
    """
    rng = np.random.default_rng(seed)
    kinds = ("Dresses", "Shirts", "Shoes", "Bags")
    range_ = tuple(
        Product(
            f"P{i:03}", f"{('Linen', 'Cotton', 'Silk')[i % 3]} {kinds[i % 4].lower()} {i}", kinds[i % 4],
            Decimal(20 + 5 * (i % 7)), description=f"{('Red', 'Blue', 'Green')[i % 3]}, for every day",
            variants=tuple(
                Variant(f"P{i:03}-{size}", 20 + i % 15, cost=Decimal(10 + i % 7), size=size) for size in ("S", "M")
            ),
        )
        for i in range(products)
    )  # fmt: skip
    prices = {v.sku: p.price for p in range_ for v in p.variants}
    skus, end = list(prices), utc(6, 30, 18)
    liked, loyal = 1 / np.arange(1, len(skus) + 1), 1 / np.arange(1, customers + 1) ** 0.7
    hours = np.sort(rng.integers(0, days * 24 - 9, orders))[::-1]
    made = []
    for i, before in enumerate(hours):
        at = end - timedelta(hours=int(before))
        chosen = rng.choice(len(skus), size=int(rng.integers(1, 5)), replace=False, p=liked / liked.sum())
        lines = tuple(
            Line(skus[v], int(rng.integers(1, 4)) + (at.weekday() >= 4), prices[skus[v]]) for v in sorted(chosen)
        )
        who = None if i % 10 == 9 else f"c{rng.choice(customers, p=loyal / loyal.sum())}"
        made.append(Order(f"A{i:05}", at, lines, who, guest=f"guest{i}@mail.test"))
    sold = [(order, line) for order in made for line in order.lines]
    back = tuple(
        CameBack(order.number, line.sku, 1, line.price, min(order.at + timedelta(days=6), end))
        for order, line in sold[::25]
    )
    return Shop(range_, tuple(f"c{i}" for i in range(customers)), tuple(made), back)
