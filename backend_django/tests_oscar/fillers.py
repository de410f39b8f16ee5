"""Fill Oscar by its own ways (products, partners, baskets, its order creator, payment events), and the corner shop."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from corner_shop.joined import CornerShop
from corner_shop.models import Item, Row, Sale, Style
from django.contrib.auth.models import User
from oscar.apps.catalogue.categories import create_from_breadcrumbs
from oscar.core.loading import get_class, get_model

from ml_predictions.sources.oscar import OscarShop, guest_id
from ml_predictions.testing.shops import Filler, Order, Product, Shop

Category = get_model("catalogue", "Category")
CatalogueProduct = get_model("catalogue", "Product")
ProductClass = get_model("catalogue", "ProductClass")
StockRecord = get_model("partner", "StockRecord")
Partner = get_model("partner", "Partner")
Basket = get_model("basket", "Basket")
OscarOrder = get_model("order", "Order")
PaymentEventType = get_model("order", "PaymentEventType")
Selector = get_class("partner.strategy", "Selector")
OrderCreator = get_class("order.utils", "OrderCreator")
OrderTotalCalculator = get_class("checkout.calculators", "OrderTotalCalculator")
EventHandler = get_class("order.processing", "EventHandler")
Free = get_class("shipping.methods", "Free")


def place(lines: Any, *, number: str, user: Any = None, **order: Any) -> Any:
    """An order through a basket and Oscar's order creator; `lines` of (product, units)."""
    basket = Basket.objects.create(owner=user)
    basket.strategy = Selector().strategy()
    for product, units in lines:
        basket.add_product(product, units)
    method = Free()
    charge = method.calculate(basket)
    total = OrderTotalCalculator().calculate(basket, charge)
    placed = OrderCreator().place_order(basket, total, method, charge, user=user, order_number=number, **order)
    basket.submit()
    return placed


def refund(order: Any, line: Any, units: int, amount: Decimal, at: Any, kind: str = "Refund") -> Any:
    """Money given back for units of a line."""
    event_type, _ = PaymentEventType.objects.get_or_create(name=kind)
    event = EventHandler().create_payment_event(order, event_type, amount, [line], [units])
    type(event).objects.filter(pk=event.pk).update(date_created=at)
    return event


class OscarFiller(Filler):
    """Products with one variant are standalone, others parents with children."""

    lacks = frozenset({"test orders", "draft orders", "erasing"})

    def __init__(self, folder: Path) -> None:
        self.costs = folder / "costs.csv"
        self.costs.write_text("sku,cost\n")
        self.known: dict[str, dict[str, str]] = {kind: {} for kind in ("product", "variant", "customer", "order")}

    def fill(self, shop: Shop) -> None:
        partner, _ = Partner.objects.get_or_create(name="Norte", code="norte")
        clothes, _ = ProductClass.objects.get_or_create(name="Clothes", track_stock=True)
        for product in shop.products:
            self._product(product, clothes, partner)
        for name in shop.customers:
            user = User.objects.create_user(name, f"{name}@mail.test", first_name=name.title())
            self.known["customer"][name] = str(user.pk)
        for order in shop.orders:
            if not order.is_test:
                self._order(order)
        for back in shop.came_back:
            order = OscarOrder.objects.get(number=back.number)
            refund(order, order.lines.get(partner_sku=back.sku), back.units, back.amount, back.at)
        self._count(shop)

    def _product(self, product: Product, clothes: Any, partner: Any) -> None:
        alone = len(product.variants) == 1
        row = CatalogueProduct.objects.create(
            structure="standalone" if alone else "parent", title=product.name, upc=product.code, product_class=clothes,
            description=f"<p>{product.description}</p>" if product.description else "", is_public=product.active,
        )  # fmt: skip
        row.categories.add(create_from_breadcrumbs(product.category))
        self.known["product"][product.code] = str(row.pk)
        for variant in product.variants:
            mine = row
            if not alone:
                mine = CatalogueProduct.objects.create(
                    structure="child", parent=row, title=f"{product.name} {variant.size}", upc=variant.sku
                )
            self.known["variant"][variant.sku] = str(mine.pk)
            StockRecord.objects.create(
                product=mine, partner=partner, partner_sku=variant.sku, price=product.price, price_currency="EUR"
            )
            if variant.cost is not None:
                with self.costs.open("a") as file:
                    file.write(f"{variant.sku},{variant.cost}\n")

    def _order(self, order: Order) -> None:
        lines = []
        for line in order.lines:  # the shop asks what the line costs, in the order's currency
            record = StockRecord.objects.get(partner_sku=line.sku)
            StockRecord.objects.filter(pk=record.pk).update(price=line.price, price_currency=order.currency)
            lines.append((CatalogueProduct.objects.get(pk=record.product_id), line.units))
        user = User.objects.get(username=order.customer) if order.customer else None
        who = {"user": user} if user else {"guest_email": order.guest}
        status = "Complete" if order.sold else "Pending"
        placed = place(lines, number=order.number, status=status, date_placed=order.at, **who)
        self.known["order"][order.number] = str(placed.pk)

    def _count(self, shop: Shop) -> None:
        """Count the shelf anew, and set the prices of the range."""
        for product in shop.products:
            for variant in product.variants:
                StockRecord.objects.filter(partner_sku=variant.sku).update(
                    num_in_stock=variant.on_hand if shop.counted else None,
                    num_allocated=variant.reserved if shop.counted else None,
                    price=product.price,
                    price_currency="EUR",
                )

    def source(self) -> OscarShop:
        return OscarShop(costs=self.costs)

    def ids(self, kind: str) -> dict[str, str]:
        return dict(self.known[kind])

    def guest_id(self, email: str) -> str:
        return guest_id(email)


class CornerFiller(Filler):
    """As few tables as a shop can have."""

    lacks = frozenset({"cost", "test orders", "returns", "draft orders", "erasing"})

    def __init__(self) -> None:
        self.known: dict[str, dict[str, str]] = {kind: {} for kind in ("product", "variant", "customer", "order")}

    def fill(self, shop: Shop) -> None:
        for product in shop.products:
            style = Style.objects.create(
                name=product.name, kind=product.category, about=product.description, price=product.price,
                on_sale=product.active,
            )  # fmt: skip
            self.known["product"][product.code] = str(style.pk)
            for v in product.variants:
                left = v.on_hand if shop.counted else 0
                item = Item.objects.create(style=style, code=v.sku, left=left, put_by=v.reserved)
                self.known["variant"][v.sku] = str(item.pk)
        for name in shop.customers:
            self.known["customer"][name] = str(User.objects.create_user(name).pk)
        for order in shop.orders:
            if order.is_test:
                continue
            buyer = self.known["customer"][order.customer] if order.customer else None
            sale = Sale.objects.create(
                number=order.number, at=order.at, buyer_id=buyer, paid_in=order.currency, paid=order.sold
            )
            self.known["order"][order.number] = str(sale.pk)
            for line in order.lines:
                item = int(self.known["variant"][line.sku])
                Row.objects.create(sale=sale, item_id=item, count=line.units, price=line.price)

    def source(self) -> CornerShop:
        return CornerShop()

    def ids(self, kind: str) -> dict[str, str]:
        return dict(self.known[kind])
