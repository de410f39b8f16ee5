"""A person who has left traces everywhere, and a search for them in every table and file."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import xlsxwriter
from django.apps import apps
from django.db import connection

EMAIL = "ximena.urrutikoetxea@correo-lejano.example"
FIRST, LAST = "Ximena", "Urrutikoetxea"
PHONE = "+34 699 887 766"
NUMBER = "KD-7741-ZX"
ADDRESS = "Calle del Olvido 13"
TRACES = [EMAIL, FIRST, LAST, PHONE, "699887766", NUMBER, ADDRESS]
HEADER = ["order_number", "placed_at", "sku", "units", "unit_price", "customer_id", "email", "country", "address"]
LINES = [
    [f"X{n}", f"2026-0{1 + n % 6}-1{n % 9}T12:00:00+00:00", f"P00{n % 4}-S", 1 + n % 2, "25.00", NUMBER, EMAIL.upper(),
     "ES", ADDRESS]
    for n in range(8)
]  # fmt: skip
OTHERS = [
    [f"Y{n}", f"2026-0{1 + n % 6}-2{n % 8}T12:00:00+00:00", f"P00{n % 4}-M", 1, "20.00", f"OTHER-{n % 3}", "", "ES", ""]
    for n in range(9)
]
RETURN = ["X0", "2026-03-20T12:00:00+00:00", "P000-S", -1, "25.00", NUMBER, EMAIL, "ES", ADDRESS]


def import_file(folder: Path) -> Path:
    """Past orders: eight by the person with one return, nine by others."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "orders.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *LINES, *OTHERS, RETURN])
    return path


def leave_traces(admin: Any, folder: Path) -> Any:
    """The person with orders of an import, tokens, failed sign-ins, notes, history and files; returns the user."""
    from django.contrib.admin.models import CHANGE, LogEntry
    from django.contrib.sessions.backends.db import SessionStore
    from django.core.management import call_command

    from authentication.models import User
    from ml_predictions.models import MLTrainingLog, Prediction
    from ml_predictions.models_calendar import CalendarEvent
    from ml_predictions.models_inventory import InventoryAlert
    from products.models import StockMovement

    call_command("import_sales", str(import_file(folder / "imports")), preset="generic", stdout=io.StringIO())
    user = User.objects.get(external_id=NUMBER)
    user.first_name, user.last_name, user.phone = FIRST, LAST, PHONE
    user.set_password("pass-word-1")
    user.save()
    _sign_in()
    LogEntry.objects.log_actions(
        user_id=admin.pk, queryset=[user], action_flag=CHANGE, change_message="Changed.", single_object=True
    )
    LogEntry.objects.log_actions(
        user_id=admin.pk, queryset=[admin], action_flag=CHANGE, change_message=f"Talked to {LAST}, {FIRST}"
    )
    StockMovement.objects.filter(pk=StockMovement.objects.first().pk).update(note=f"kept for {FIRST} {LAST}, {PHONE}")
    CalendarEvent.objects.create(
        kind="promotion", name="Sale", first_day="2026-05-01", last_day="2026-05-02", note=f"asked by {EMAIL.upper()}"
    )
    InventoryAlert.objects.create(
        variant_id="1", product_id="1", sku="P000-S", product_name="Coat", alert_type="low_stock", code="LOW",
        urgency_level=1, current_stock=1, recommended_stock=2, predicted_demand_7days=1, predicted_demand_30days=1,
        daily_sales_rate=1, money_at_stake=1, reason={"code": "served_newest", "params": {}}, status="resolved",
        resolved_by=f"{FIRST} {LAST}", note=f"{NUMBER} took the last", acknowledged_by=EMAIL, snoozed_by=EMAIL,
    )  # fmt: skip
    MLTrainingLog.objects.create(
        kind="sales_forecast", status="failed", requested_by=EMAIL, parameters={"customer_id": str(user.pk)},
        error={"code": "training_error", "params": {"error": f"bad row of {NUMBER}"}},
    )  # fmt: skip
    Prediction.objects.create(
        service="sales_forecast",
        parameters={"note": f"for {EMAIL}"},
        as_of="2026-06-29",
        requested_by=f"{FIRST} {LAST}",
    )  # fmt: skip
    session = SessionStore()
    session.update({"_auth_user_id": str(admin.pk), "_messages": f'The user "{EMAIL}" was changed.'})
    session.save()
    theirs = SessionStore()
    theirs.update({"_auth_user_id": str(user.pk)})
    theirs.save()
    leave_files(folder)
    return user


def _sign_in() -> None:
    from rest_framework.test import APIClient

    client = APIClient()
    for password in ("wrong-1", "wrong-2"):
        assert client.post("/api/auth/login/", {"email": EMAIL, "password": password}).status_code == 401
    pair = client.post("/api/auth/login/", {"email": EMAIL, "password": "pass-word-1"}).json()
    assert client.post("/api/auth/refresh/", {"refresh": pair["refresh"]}).status_code == 200
    client.post("/api/auth/login/", {"email": EMAIL, "password": "wrong-3"})


def leave_files(folder: Path) -> None:
    """Reports, logs and copies that name the person, packed in every way."""
    text = f"line;{EMAIL};{FIRST} {LAST};{PHONE};{ADDRESS}\n".encode()
    (folder / "errors").mkdir()
    (folder / "errors" / "left.csv").write_bytes(b"line;email;name;phone\n" + text + b"7;other@x.test;Eva;\n")
    (folder / "errors" / "left-utf16.csv").write_bytes(("a;b\n" + text.decode()).encode("utf-16"))
    (folder / "web.log").write_bytes(b"started\n" + f"GET /?q=699887766 for {NUMBER}\n".encode() + b"ended\n")
    (folder / "old.csv.gz").write_bytes(gzip.compress(text))
    (folder / "old.xz").write_bytes(lzma.compress(bz2.compress(text)))
    (folder / f"{LAST}.json").write_text(json.dumps({"nothing": 1}))
    with zipfile.ZipFile(folder / "exports.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.csv.gz", gzip.compress(text))
    pl.DataFrame({"email": [EMAIL, "b@x.test"] * 50}).write_parquet(folder / "people.parquet", compression="zstd")
    with xlsxwriter.Workbook(folder / "people.xlsx") as book:
        book.add_worksheet().write(0, 0, f"{FIRST} {LAST}")
    (folder / "untouched.csv").write_bytes(b"nobody\n")


# --- the search -----------------------------------------------------------------------------------


def named_in_database() -> list[str]:
    """`table.column` of every column of every table that holds one of TRACES, as text."""
    tables = connection.introspection.table_names()
    found = []
    with connection.cursor() as cursor:
        for table in tables:
            columns = [c.name for c in connection.introspection.get_table_description(cursor, table)]
            for column in columns:
                quoted = f"CAST({connection.ops.quote_name(column)} AS TEXT)"
                likes = " OR ".join([f"LOWER({quoted}) LIKE %s"] * len(TRACES))
                cursor.execute(
                    f"SELECT COUNT(*) FROM {connection.ops.quote_name(table)} WHERE {likes}",
                    [f"%{trace.lower()}%" for trace in TRACES],
                )
                if cursor.fetchone()[0]:
                    found.append(f"{table}.{column}")
    return found + _in_sessions()


def _in_sessions() -> list[str]:
    from django.contrib.sessions.models import Session

    contents = [str(session.get_decoded()) for session in Session.objects.all()]
    return ["session"] if any(trace.lower() in text.lower() for text in contents for trace in TRACES) else []


def named_in_files(folder: Path) -> list[str]:
    """Every file under a folder that holds one of TRACES, in its name or content, packed or not."""
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        parts = [str(path.relative_to(folder)).encode(), *opened(path.read_bytes())]
        if path.suffix == ".parquet":
            parts.append(pl.read_parquet(path).write_csv().encode())
        if any(encoded in part.lower() for part in parts for encoded in encoded_traces()):
            found.append(str(path.relative_to(folder)))
    return found


def encoded_traces() -> list[bytes]:
    """TRACES as files may hold them."""
    return [trace.lower().encode(name) for trace in TRACES for name in ("utf-8", "utf-16-le", "utf-16-be")]


def opened(data: bytes) -> Iterator[bytes]:
    """The content, and what is packed in it."""
    yield data
    for begins, unpack in ((b"\x1f\x8b", gzip.decompress), (b"BZh", bz2.decompress), (b"\xfd7zXZ", lzma.decompress)):
        if data.startswith(begins):
            yield from opened(unpack(data))
    if data.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield from opened(archive.read(name))


def totals() -> dict[str, Any]:
    """What the erasure must not change: orders, lines, money, returns, and the forecast in service."""
    from django.db.models import Count, Sum

    from ml_predictions.models import SalesForecast
    from orders.models import Order, OrderItem, OrderReturn

    return {
        "orders": Order.objects.aggregate(n=Count("pk"), total=Sum("total")),
        "lines": OrderItem.objects.aggregate(n=Count("pk"), amount=Sum("amount"), units=Sum("units")),
        "returns": OrderReturn.objects.aggregate(n=Count("pk"), amount=Sum("amount")),
        "forecast": list(SalesForecast.objects.order_by("pk").values_list("level", "object_id", "start", "sales")),
    }


def source_lines() -> Any:
    """What the forecasts read: the order lines without who bought them."""
    from ml_predictions.sources import get_source

    return get_source().order_lines().drop("customer_id").sort(pl.all())


def every_text_column() -> dict[str, set[str]]:
    """Model → its columns that can hold any text."""
    kinds = ("CharField", "TextField", "EmailField", "JSONField", "FileField", "ImageField", "GenericIPAddressField")
    found = {}
    for model in apps.get_models(include_auto_created=True):
        columns = {f.name for f in model._meta.fields if _base(f) in kinds and not f.choices}
        if columns:
            found[model._meta.label] = columns
    return found


def _base(field: Any) -> str:
    return str(field.get_internal_type())
