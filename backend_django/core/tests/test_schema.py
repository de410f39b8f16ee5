"""The documentation of the API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from rest_framework import serializers

from api_base.serializers import Strict


@pytest.fixture(scope="module")
def document() -> Any:
    """The OpenAPI document."""
    from drf_spectacular.generators import SchemaGenerator

    return SchemaGenerator().get_schema(request=None, public=True)


def test_it_is_valid_and_has_no_warnings(tmp_path: Any):
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yml"))
    assert "openapi: 3.1.0" in (tmp_path / "schema.yml").read_text()


def test_every_operation_has_a_name_to_read(document: Any):
    unnamed = [p for p, item in document["paths"].items() for op in item.values() if not op.get("summary")]
    assert unnamed == []


def test_every_operation_documents_every_error(document: Any):
    operations = [op for path in document["paths"].values() for op in path.values()]
    assert len(operations) > 25
    for operation in operations:
        missing = {"400", "401", "403", "404", "409", "429", "500"} - set(operation["responses"])
        assert not missing, operation["operationId"]
        schema = operation["responses"]["409"]["content"]["application/json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/Error"}


def test_the_machine_learning_has_its_calls_in_full(document: Any):
    """Counted as operations, a path and a method each; two examples of every part must be among them."""
    calls = {(m, p) for p, item in document["paths"].items() if p.startswith("/api/ml/") for m in item}
    assert len(calls) >= 60
    assert calls >= {
        ("post", "/api/ml/training-logs/{id}/retry/"), ("post", "/api/ml/training-logs/{id}/cancel/"),
        ("get", "/api/ml/models/{id}/report/"), ("delete", "/api/ml/models/{id}/"),
        ("get", "/api/ml/schedule/"), ("put", "/api/ml/schedule/"),
        ("post", "/api/ml/predictions/{id}/reproduce/"), ("get", "/api/ml/data-quality/"),
    }  # fmt: skip


def test_every_call_of_the_machine_learning_is_documented(document: Any):
    from ml_predictions.tests.api.test_permissions import CALLS

    documented = {(m, re.sub(r"\{\w+\}", "1", p)) for p, item in document["paths"].items() for m in item}
    assert set(CALLS) <= documented


def test_ranges_are_documented(document: Any):
    body = document["components"]["schemas"]["PredictSalesRequest"]["properties"]
    assert (body["days_ahead"]["minimum"], body["days_ahead"]["maximum"]) == (1, 365)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/docs/", "/api/redoc/", "/api/docs/?script="])
def test_the_pages_ask_no_other_server(path: str):
    answer = Client().get(path)
    assert answer.status_code == 200
    assert not re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", answer.content.decode())
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.django_db
def test_the_files_of_the_pages_are_ours():
    from django.contrib.staticfiles import finders

    page = Client().get("/api/docs/").content.decode() + Client().get("/api/redoc/").content.decode()
    files = re.findall(r"/static/([^\"]+\.(?:js|css|png))", page)
    assert len(files) >= 4
    assert all(finders.find(file) for file in files)


LOOSE = {
    getattr(serializers, name)
    for name in (
        "CharField", "EmailField", "URLField", "IntegerField", "FloatField", "DecimalField", "BooleanField",
        "DateField", "DateTimeField", "PrimaryKeyRelatedField",
    )
}  # fmt: skip
"""DRF's own: they take a text of digits for a number, a number for a text, 1 for true, 20261127 for a day."""


def kinds_of(cls: type) -> Iterator[type]:
    """All serializers below this one."""
    for below in cls.__subclasses__():
        yield below
        yield from kinds_of(below)


def loose(field: Any, name: str) -> list[str]:
    """The names of the fields that one writes and that take more than the document says."""
    if field.read_only:
        return []
    if hasattr(field, "fields"):
        return [found for key, part in field.fields.items() for found in loose(part, f"{name}.{key}")]
    if getattr(field, "child", None) is not None:
        return loose(field.child, f"{name}[]")
    return [name] if type(field) in LOOSE else []


def test_bodies_are_made_of_fields_that_take_what_the_document_says(document: Any):
    bodies = set(document["components"]["schemas"])
    known = {cls for cls in kinds_of(Strict) if f"{cls.__name__.removesuffix('Serializer')}Request" in bodies}
    assert len(known) > 30
    assert [found for cls in known for found in loose(cls(), cls.__name__)] == []
