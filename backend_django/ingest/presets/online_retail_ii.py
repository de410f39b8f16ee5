"""Online Retail II: a British gift shop's invoices, 2009 to 2011 (Chen 2019, doi 10.24432/C5CG6D).

Its two sheets both hold 1 to 9 December 2010. Rows that are wholly alike inside one invoice stay: 70 % of them are
of one unit (27 % of all rows are), three in four do not follow each other, and the same code stands in an invoice
twice with other units as often as with the same: this till writes a line whenever an article is scanned again.
"""

from __future__ import annotations

from ingest.presets.base import Preset

PRESET = Preset(
    name="online-retail-ii",
    columns={
        "order_number": ("Invoice", "InvoiceNo"),
        "placed_at": ("InvoiceDate",),
        "sku": ("StockCode",),
        "units": ("Quantity",),
        "unit_price": ("Price", "UnitPrice"),
        "product_name": ("Description",),
        "customer_id": ("Customer ID",),
        "country": ("Country",),
    },
    time_zone="Europe/London",
    currency="GBP",
    channel="web",
    cancellation=r"C\d+",
    not_a_sale=r"A\d+",
    shipping_sku=r"POST|DOT|C2|C3",
    not_a_product=(r"M|D|S|B|BANK CHARGES|ADJUST\d*|AMAZONFEE|CRUK|PADS|GIFT|GIFT_\d+_\d+|TEST\d*|DCGS\w*"),
    upper_case_sku=True,
    zero_price_is_sale=False,
    optional=("product_name", "customer_id", "country"),
)
