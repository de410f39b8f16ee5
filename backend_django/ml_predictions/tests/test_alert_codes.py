"""The page of the alert codes says what the code says, and every code has its sentence."""

from __future__ import annotations

import re
from pathlib import Path

from ml_predictions.models_inventory import InventoryAlert
from ml_predictions.services.inventory_answers import REASONS
from retail_ml.inventory import alerts

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "alert-codes.md"


def test_the_page_lists_exactly_the_codes_with_their_types_in_their_order():
    listed = re.findall(r"^\| `([A-Z_]+)` \| `([a-z_]+)` \|", PAGE.read_text(), re.MULTILINE)
    assert listed == list(alerts.CODES.items())


def test_every_type_is_one_of_the_five_and_every_code_has_a_sentence():
    assert set(alerts.CODES.values()) == set(alerts.TYPES) == set(InventoryAlert.Type.values)
    assert set(REASONS) | {"REORDER_NOW"} == set(alerts.CODES)  # what to reorder has sentences of its own
    assert set(alerts.CODES) >= alerts.EXPECTED_ALREADY
    named = re.findall(r"`([A-Z_]{6,})`", PAGE.read_text())
    assert set(named) - {"REVIEW_DAYS"} == set(alerts.CODES)
