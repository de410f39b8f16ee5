"""Any shop's own table: one row per order line, under the names of the fields or common words for them."""

from __future__ import annotations

from ingest.presets.base import Preset

PRESET = Preset(
    name="generic",
    columns={
        "order_number": (
            "order_number",
            "order",
            "order id",
            "order no",
            "invoice",
            "pedido",
            "nº pedido",
            "número de pedido",
            "factura",
            "ticket",
        ),
        "placed_at": ("placed_at", "date", "datetime", "created at", "order date", "fecha", "fecha de pedido"),
        "sku": ("sku", "variant", "stock code", "item", "referencia", "código", "codigo"),
        "units": ("units", "quantity", "qty", "unidades", "cantidad"),
        "unit_price": ("unit_price", "price", "precio", "precio unitario"),
        "product_name": (
            "product_name",
            "product",
            "name",
            "title",
            "description",
            "producto",
            "nombre",
            "descripción",
            "artículo",
        ),
        "product_code": ("product_code", "style"),
        "category": ("category", "categoria", "categoría"),
        "customer_id": ("customer_id", "customer", "cliente"),
        "email": ("email", "e-mail", "customer email", "correo", "correo electrónico"),
        "country": ("country", "pais", "país"),
        "discount": ("discount", "descuento"),
        "shipping": ("shipping", "envio", "envío"),
        "tax": ("tax", "iva"),
        "status": ("status", "estado"),
        "channel": ("channel", "canal"),
        "currency": ("currency", "moneda"),
        "in_stock": ("in_stock", "stock before", "existencias antes"),
    },
    extra={"in_stock": "money"},
)
