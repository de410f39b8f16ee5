"""The three counts, word for word as one types them into `manage.py shell`."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command

LINES = {
    "User.objects.filter(role='customer').count()": 3,
    "Product.objects.filter(status='active').count()": 2,
    "Order.objects.filter(status__in=['delivered', 'completed']).count()": 2,
}
IMPORTS = [
    "from authentication.models import User\nfrom products.models import Product\nfrom orders.models import Order",
    "from django.contrib.auth import get_user_model\nUser = get_user_model()\n"
    "from products.models import Product\nfrom orders.models import Order",
    "",  # Django's shell imports every model by itself
]


@pytest.fixture
def counted(cast):
    from authentication.models import User
    from orders.models import Order
    from products.models import Product

    User.objects.bulk_create_customers([User(external_id="1"), User(external_id="2")])
    for status in ("active", "active", "inactive", "discontinued"):
        Product.objects.create(name=status, status=status)
    for i, status in enumerate(Order.Status.values):
        Order.objects.create(order_number=str(i), status=status)


@pytest.mark.parametrize("imports", IMPORTS)
@pytest.mark.parametrize(("line", "expected"), LINES.items())
def test_the_count_runs_word_for_word(counted: Any, capsys: Any, imports: str, line: str, expected: int) -> None:
    call_command("shell", command=f"{imports}\nprint({line})", verbosity=0)
    assert capsys.readouterr().out.split() == [str(expected)]
