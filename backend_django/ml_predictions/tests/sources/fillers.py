"""Fills the shop of this project with a neutral shop of the contract."""

from __future__ import annotations

from authentication.models import User
from ml_predictions.sources.django_shop import DjangoShop
from ml_predictions.testing.shops import Filler, Shop
from orders.models import Order, OrderItem, OrderReturn
from products.models import Category, Product, ProductVariant, StockMovement


class DjangoFiller(Filler):
    """The apps products, orders and authentication."""

    def fill(self, shop: Shop) -> None:
        for product in shop.products:
            category, _ = Category.objects.get_or_create(name=product.category)
            row = Product.objects.create(
                code=product.code, name=product.name, category=category, description=product.description,
                price=product.price, status="active" if product.active else "discontinued",
            )  # fmt: skip
            for v in product.variants:
                variant = ProductVariant(
                    product=row, sku=v.sku, options={"size": v.size} if v.size else {}, cost=v.cost,
                    reserved=v.reserved, is_active=product.active,
                )  # fmt: skip
                variant.save()
                if shop.counted:
                    StockMovement.objects.create(variant=variant, kind="opening", units=v.on_hand)
                    ProductVariant.objects.filter(pk=variant.pk).update(stock=v.on_hand)
        User.objects.bulk_create_customers(
            User(email=f"{name}@mail.test", external_id=name, first_name=name) for name in shop.customers
        )
        self._orders(shop)

    def _orders(self, shop: Shop) -> None:
        people, variants = self.ids("customer"), self.ids("variant")
        for order in shop.orders:
            row = Order.objects.create(
                order_number=order.number, customer_id=order.customer and int(people[order.customer]),
                placed_at=order.at, status="completed" if order.sold else "pending", currency=order.currency,
                is_test=order.is_test,
            )  # fmt: skip
            for line in order.lines:
                OrderItem.objects.create(
                    order=row, variant_id=int(variants[line.sku]), units=line.units, unit_price=line.price
                )
        for back in shop.came_back:
            item = OrderItem.objects.get(order__order_number=back.number, variant__sku=back.sku)
            OrderReturn.objects.create(item=item, units=back.units, amount=back.amount, returned_at=back.at)

    def source(self) -> DjangoShop:
        return DjangoShop()

    def ids(self, kind: str) -> dict[str, str]:
        model, name = {
            "product": (Product, "code"), "variant": (ProductVariant, "sku"), "customer": (User, "external_id"),
            "order": (Order, "order_number"),
        }[kind]  # fmt: skip
        rows = model.objects.exclude(**{name: None}).values_list(name, "pk")
        return {ours: str(key) for ours, key in rows}
