"""The live pull, against a shop on the loopback that answers as WooCommerce does, fails and refuses on request."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.management import CommandError, call_command

from authentication.models import User
from ingest import pull, turns, woocommerce_api
from ingest.models import ImportRun
from ingest.tests.platforms import GOLDEN
from ingest.tests.test_turns import another_process
from ml_predictions.jobs import nightly
from orders.models import Order, OrderReturn
from products.models import ProductVariant
from retail_ml.errors import RetailMLError

pytestmark = pytest.mark.django_db
KEY, SECRET = "ck_x", "cs_y"


def golden(name: str) -> list[dict[str, Any]]:
    """The records of a golden file."""
    found: list[dict[str, Any]] = json.loads((GOLDEN / "woocommerce" / f"{name}.json").read_text())
    return found


class FakeShop(ThreadingHTTPServer):
    """Pages of three, `modified_after`, `include`, refunds by order; `failures` are answered before all else."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        old, new = golden("orders-1"), golden("orders-2")
        newer = {order["id"]: order for order in [*old, *new]}
        self.orders = [newer[number] for number in sorted(newer)]
        self.refunds, self.customers, products = golden("refunds"), golden("customers"), golden("products")
        self.products = [one | {"date_modified_gmt": "2025-10-01T00:00:00"} for one in products if not one["parent_id"]]
        self.variations = [one for one in products if one["parent_id"]]
        self.asked: list[str] = []
        self.broken = ""
        self.pauses: list[float] = []
        self.failures: list[tuple[int, dict[str, str], bytes]] = []


class Answer(BaseHTTPRequestHandler):
    """One answer of the fake shop."""

    server: FakeShop

    def log_message(self, *args: Any) -> None:
        """Silent."""

    def do_GET(self) -> None:
        """Answer as the interface does."""
        shop, address = self.server, urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        shop.asked.append(self.path.removeprefix("/wp-json/wc/v3/"))
        wanted = base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
        if self.headers["Authorization"] != f"Basic {wanted}":
            self.send(401, {}, b'{"code": "x", "message": "Consumer key is invalid."}')
        elif shop.broken and shop.asked[-1].startswith(shop.broken):
            self.send(410, {}, b"{}")
        elif shop.failures:
            self.send(*shop.failures.pop(0))
        else:
            found = self.found(address.path.removeprefix("/wp-json/wc/v3/"), query)
            page, size = int(query["page"]), 3
            part = found[(page - 1) * size : page * size]
            self.send(200, {"X-WP-TotalPages": str(-(-len(found) // size))}, json.dumps(part).encode())

    def found(self, path: str, query: dict[str, str]) -> list[dict[str, Any]]:
        """All records that are asked for."""
        shop = self.server
        if path.endswith("/refunds"):
            order = int(path.split("/")[1])
            return [
                {k: v for k, v in one.items() if k != "parent_id"} for one in shop.refunds if one["parent_id"] == order
            ]
        if path.endswith("/variations"):
            return [one for one in shop.variations if one["parent_id"] == int(path.split("/")[1])]
        if path == "customers":
            return [one for one in shop.customers if str(one["id"]) in query["include"].split(",")]
        records = {"orders": shop.orders, "products": shop.products}[path]
        return [one for one in records if one["date_modified_gmt"] > query.get("modified_after", "")]

    def send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """Write it."""
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def woo(settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeShop]:
    """The shop, set in the settings; pauses are noted and not waited for."""
    shop = FakeShop()
    thread = threading.Thread(target=shop.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    settings.DATA_FOLDER = tmp_path
    settings.WOOCOMMERCE_URL = f"http://127.0.0.1:{shop.server_address[1]}"
    settings.WOOCOMMERCE_KEY, settings.WOOCOMMERCE_SECRET = KEY, SECRET
    made = woocommerce_api.Shop
    monkeypatch.setattr(pull, "Shop", lambda *given: made(*given, pause=shop.pauses.append))
    yield shop
    shop.shutdown()
    thread.join()
    shop.server_close()


def run() -> str:
    """What `pull` prints."""
    out = StringIO()
    call_command("pull", stdout=out)
    return out.getvalue()


def test_everything_first_and_then_what_was_modified(woo: FakeShop) -> None:
    text = run()
    assert "Orders                           6 new         0 unchanged         0 changed" in text
    assert Order.objects.get(order_number="731").customer == Order.objects.get(order_number="732").customer
    assert OrderReturn.objects.filter(reference="734-R9002/id:20/0").exists()
    assert ProductVariant.objects.get(sku="CAM-R-M").stock == 4
    assert "modified_after" not in next(one for one in woo.asked if one.startswith("orders?"))
    assert not list(pull.uploads.root().iterdir())  # the files are gone
    sales = ImportRun.objects.get(what="sales")
    assert (sales.state, sales.options["until"]) == ("imported", "2025-10-31T08:00:00")
    woo.asked.clear()
    text = run()  # the last second once more, and nothing changes
    assert "Orders                           0 new         1 unchanged         0 changed" in text
    assert any("modified_after=2025-10-31T07%3A59%3A59&dates_are_gmt=true" in one for one in woo.asked)
    woo.orders[0] |= {"status": "cancelled", "date_modified_gmt": "2025-11-05T10:00:00"}
    run()
    assert Order.objects.get(order_number="731").status == "cancelled"


def test_a_shop_that_stumbles_is_asked_again_with_a_growing_pause(woo: FakeShop) -> None:
    woo.failures = [(503, {}, b""), (429, {"Retry-After": "7"}, b""), (200, {}, b"[{cut off")]
    assert "Orders                           6 new         0 unchanged         0 changed" in run()
    assert woo.pauses == [1.0, 7.0, 4.0]


@pytest.mark.parametrize(
    ("failures", "message"),
    [
        ([(503, {}, b"")] * 5, "did not answer .*products in 5 tries .503"),
        ([(404, {}, b'{"message": "No route"}')], "refuses .*: 404 No route"),
        ([(302, {"Location": "http://127.0.0.1:1/x"}, b"")], "refuses .*: 302"),
        ([(200, {}, b'{"code": "x"}')], "refuses products: 200"),
    ],
)
def test_a_shop_that_fails_leaves_nothing_and_no_mark(woo: FakeShop, failures: Any, message: str) -> None:
    woo.failures = list(failures)
    with pytest.raises(CommandError, match=message):
        run()
    assert not Order.objects.exists()
    assert list(ImportRun.objects.values_list("state", "options")) == [("failed", {})]  # listed, without a mark
    assert not list(pull.uploads.root().iterdir())


def test_orders_that_are_not_had_bring_in_no_products_either(woo: FakeShop) -> None:
    woo.broken = "orders?"
    with pytest.raises(CommandError, match="refuses .*orders: 410"):
        run()
    assert not ProductVariant.objects.exists()
    assert list(ImportRun.objects.values_list("state", flat=True)) == ["failed"]


def test_what_is_not_set_or_not_safe_is_said(woo: FakeShop, settings: Any) -> None:
    settings.WOOCOMMERCE_SECRET = "other"
    with pytest.raises(CommandError, match="401 Consumer key is invalid"):
        run()
    settings.WOOCOMMERCE_URL = "http://shop.example"
    with pytest.raises(CommandError, match="give an https address"):
        run()
    settings.WOOCOMMERCE_URL = ""
    with pytest.raises(CommandError, match="set WOOCOMMERCE_URL"):
        run()


def test_the_nightly_step_pulls_where_a_shop_is_set_and_a_failure_stands_on_the_pages(woo, client, settings):
    settings.WOOCOMMERCE_URL, url = "", settings.WOOCOMMERCE_URL
    assert pull.nightly() == {}
    settings.WOOCOMMERCE_URL = url
    assert next(iter(nightly.steps())) == "pull"  # before what is made of the sales
    owner = User.objects.create_superuser("owner@shop.test", "a-long-password")
    client.force_login(owner)
    woo.broken = "orders"
    with pytest.raises(RetailMLError):
        pull.nightly()
    with pytest.raises(RetailMLError):
        pull.nightly()
    (failed,) = ImportRun.objects.all()  # of nights that fail alike the last is listed
    assert (failed.state, failed.requested_by, failed.error["code"]) == ("failed", "pull", "pull.refused")
    assert Order.objects.count() == 0
    for page in ("/data/", "/"):
        assert "WooCommerce 127.0.0.1: the last pull failed" in client.get(page).content.decode()
    assert "the shop refuses" in client.get(f"/data/imports/{failed.pk}/").content.decode()
    woo.broken = ""
    assert pull.nightly()["sales"] > 0
    assert "the last pull failed" not in client.get("/data/").content.decode()
    woo.broken = "orders"
    with pytest.raises(RetailMLError):
        pull.nightly()
    woo.broken, woo.orders, woo.products = "", [], []
    assert pull.nightly() == {}  # nothing is new, and the failure is over
    assert "the last pull failed" not in client.get("/data/").content.decode()


def test_a_pull_waits_for_an_import_and_leaves_nothing_of_one_that_was_killed(woo, monkeypatch):
    # Killed while it asked the shop:
    ImportRun.objects.create(what="sales", file_name="WooCommerce", size=0, requested_by="pull")
    with another_process() as held:
        with pytest.raises(CommandError, match="Another import, undo or pull is being written"):
            run()
        assert woo.asked == []
        monkeypatch.setattr(turns.time, "sleep", lambda seconds: held.kill())
        pull.nightly()
    assert set(ImportRun.objects.values_list("state", flat=True)) == {"imported"}
