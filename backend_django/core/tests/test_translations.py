"""Whatever people read exists in English and in Spanish, with the same figures in it."""

from __future__ import annotations

import ast
import importlib.util
import logging
import string
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import polib
import pytest
from django.test import Client
from django.utils import translation

from ml_predictions.messages import TEXTS, message, render, spoken
from ml_predictions.messages.readable import NAMES

BACKEND = Path(__file__).resolve().parents[2]
ENGLISH_ONLY = {"retail_ml/synthetic/plan.py", "retail_ml/inventory/formulas.py", "retail_ml/forecast/long_frames.py"}
"""Called by commands and by programmers; the API reaches neither."""


def _checker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_messages", BACKEND.parent / ".ci" / "check_messages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


checker = _checker()


def fields(text: str) -> set[str]:
    """The names in braces of a text."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


# --- the files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("app", checker.APPS)
def test_all_is_translated_with_the_same_placeholders_and_compiled(app: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(checker.shutil, "which", lambda name: None)  # searching the sources takes long: `make lint`
    assert checker.faults(app) == []
    assert len(polib.pofile(str(checker.po_file(app)))) > 0


@pytest.mark.parametrize(
    ("text", "fault"),
    [("", "not translated"), ("Quedan {m}.", "other placeholders"), ("Quedan.", "other placeholders")],
)
def test_the_checker_finds_faults(text: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(checker.shutil, "which", lambda name: None)
    monkeypatch.setattr(checker, "BACKEND", tmp_path)
    path = checker.po_file("core")
    path.parent.mkdir(parents=True)
    entries = polib.POFile()
    entries.append(polib.POEntry(msgid="{n} are left.", msgstr=text))
    entries.save(str(path))
    entries.save_as_mofile(str(path.with_suffix(".mo")))
    assert [fault in found for found in checker.faults("core")] == [True]
    entries[0].msgstr = "Quedan {n}."
    entries.save(str(path))
    assert [found for found in checker.faults("core") if "stale" not in found] == []
    assert len(checker.faults("core")) == 1


def test_a_sentence_of_several_apps_has_one_translation():
    """Django puts all apps into one catalogue: of two translations only one would ever be seen."""
    found: dict[Any, set[Any]] = {}
    for app in checker.APPS:
        for key, texts in checker.said(polib.pofile(str(checker.po_file(app)))).items():
            found.setdefault(key, set()).add(texts)
    assert {key: texts for key, texts in found.items() if len(texts) > 1} == {}


# --- messages -------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", TEXTS)
def test_every_message_is_said_in_both_languages(code: str):
    stored = {"code": code, "params": dict.fromkeys(fields(str(TEXTS[code])), 7)}
    with translation.override("en"):
        english = render(stored)
    with translation.override("es"):
        spanish = render(stored)
    assert english != spanish
    assert "{" not in english + spanish
    assert english.count("7") == spanish.count("7")


@pytest.mark.parametrize(
    ("code", "params", "english", "spanish"),
    [
        (
            "forecast.quiet",
            {"days": 1200, "since": "2026-06-30"},
            "for 1,200 days (since June 30, 2026)",
            "en 1\xa0200 días (desde el 30 de junio de 2026)",
        ),
        (
            "segment.spent",
            {"spent": 577939, "currency": "EUR", "percent": 99},
            "spent 577,939 EUR in all",
            "gastado 577\xa0939 EUR en total",
        ),
        ("segment.rhythm", {"interval": 6.5, "recency": 12}, "every 6.5 days", "cada 6,5 días"),
        (
            "recommend.because_bought",
            {"product": "2026-06-30"},
            "“2026-06-30”",
            "«2026-06-30»",
        ),
        (
            "inventory.dead_stock",
            {"idle_days": 90, "stock": 4.0, "money": 1234.567, "currency": "EUR"},
            "lie there: 4, 1,234.57 EUR",
            "Unidades paradas: 4, 1\xa0234,57 EUR",
        ),
        ("already_resolved", {"alert_id": 123456}, "Alert 123456 was", "La alerta 123456 ya"),
        (
            "edge.trained_all",
            {"trained": "sales_forecast, customer_segmentation", "failed": "—"},
            "Trained: the sales forecast, the customer segmentation. Not trained: —.",
            "Entrenado: la previsión de ventas, la segmentación de clientes. Sin entrenar: —.",
        ),
        (
            "not_running",
            {"training_log_id": 12345, "status": "failed"},
            "Training 12345 is over (failed)",
            "El entrenamiento 12345 ya ha terminado (fallido)",
        ),
    ],
)
def test_stored_messages_are_readable_in_both_languages(code: str, params: Any, english: str, spanish: str):
    stored = message(code, **params)
    with translation.override("en"):
        assert english in render(stored)
    with translation.override("es"):
        assert spanish in render(stored)


@pytest.mark.parametrize(
    ("value", "english", "spanish"),
    [
        (0, "0", "0"), (999, "999", "999"), (-1234567, "-1,234,567", "-1\xa0234\xa0567"), (3.0, "3", "3"),
        (12.345, "12.35", "12,35"), (0.21, "0.21", "0,21"), (0.00412, "0.0041", "0,0041"), (1e-12, "0", "0"),
        (100, "100", "100"), (9.999, "10", "10"), (1234.0, "1,234", "1\xa0234"), (True, "True", "True"),
        ("2026-13-45", "2026-13-45", "2026-13-45"), ("1234", "1234", "1234"), (float("inf"), "inf", "inf"),
        (date(2026, 1, 5), "Jan. 5, 2026", "5 de enero de 2026"), (["a", 1000], "a, 1,000", "a, 1\xa0000"),
        (None, "None", "None"),
    ],
)  # fmt: skip
def test_figures(value: Any, english: str, spanish: str):
    stored = {"code": "edge.data_recommended", "params": {"have": value, "recommended": 1}}
    with translation.override("en"):
        assert render(stored) == f"Enough: {english}; recommended: 1."
    with translation.override("es"):
        assert render(stored) == f"Suficiente: hay {spanish}; se recomienda tener 1."


# --- errors ---------------------------------------------------------------------------------------


def _calls() -> Iterator[tuple[str, str, ast.Call]]:
    """Every call by a plain name in the code that the API reaches: place, name, call."""
    for package in ("retail_ml", "ml_predictions"):
        for path in sorted((BACKEND / package).rglob("*.py")):
            name = path.relative_to(BACKEND).as_posix()
            if "/tests/" in name or "/migrations/" in name:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    yield f"{name}:{node.lineno}", node.func.id, node


CALLS = list(_calls())


def _constant(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def test_every_error_has_a_text_that_its_figures_fill():
    raised = 0
    for place, name, call in CALLS:
        errors = {"BadFrame", "BadParameter", "NotEnoughHistory", "RetailMLError", "UnknownId"}
        if name not in errors or place.split(":", maxsplit=1)[0] in ENGLISH_ONLY:
            continue
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        code = _constant(given.get("code"))
        assert code in TEXTS, f"{place}: {name} with the code {code}, which has no text in ml_predictions/messages/"
        missing = fields(str(TEXTS[code])) - set(given)
        assert not missing, f"{place}: the text of {code} wants {missing}"
        raised += 1
    assert raised > 20


def test_every_message_has_a_text_that_its_figures_fill():
    found = 0
    for place, name, call in CALLS:
        code = _constant(call.args[0]) if name == "message" and call.args else None
        if code is None:
            continue
        given = {keyword.arg for keyword in call.keywords}
        assert code in TEXTS, f"{place}: no text for {code}"
        if None not in given:  # no **figures
            assert fields(str(TEXTS[code])) <= given, f"{place}: {code}"
        found += 1
    assert found > 50


def test_the_other_own_errors_speak_both_languages(db: None, caplog: pytest.LogCaptureFixture):
    from ml_predictions import actions, actions_alerts, artifacts, jobs
    from ml_predictions.errors import NotTrained
    from ml_predictions.models import MLModel, MLTrainingLog

    model = MLModel(service="sales_forecast", version=3)
    with pytest.raises(artifacts.ArtifactRefused) as refused:
        artifacts.load("sales_forecast/none", "0")
    errors = {
        NotTrained("sales_forecast"): "Aún no se ha entrenado la previsión de ventas.",
        jobs.AlreadyRunning("all", 4321): "Ya hay un entrenamiento de los cuatro servicios en marcha",
        jobs.NotRunning(MLTrainingLog(pk=1, status="completed")): "ya ha terminado (completado)",
        actions_alerts.AlreadyResolved(7): "La alerta 7 ya estaba resuelta.",
        actions_alerts.TooManyAlerts(9, at_most=4): "Hay 9 alertas que encajan",
        actions_alerts.SomeNotActive([3, 4]): "2 de las alertas no existen",
        actions.WorseThanBaseline(model): "La versión 3 de la previsión de ventas pierde",
        actions.InService(model): "La versión 3 de la previsión de ventas está en servicio",
        refused.value: "se ha rechazado: no se puede leer (",
    }
    caplog.set_level(logging.WARNING)
    for error, spanish in errors.items():
        with translation.override("es"):
            assert spanish in spoken(error)
        with translation.override("en"):
            assert spoken(error).split(" ")[:2] == str(error).split(" ")[:2]
    assert not caplog.records


def test_services_states_and_segments_have_words():
    from ml_predictions.models import Kind, MLTrainingLog
    from ml_predictions.models_segments import ChanceBand, Driver, Segment
    from retail_ml.segment import AXES

    customers = {*Segment.values, *Driver.values, *ChanceBand.values, *AXES}
    assert set(NAMES) == {*Kind.values, *MLTrainingLog.Status.values, *customers}


def test_the_console_speaks_english(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from core import console

    monkeypatch.setattr(console, "PASSWORD_FILE", tmp_path / "admin_password")
    monkeypatch.setenv("ADMIN_PASSWORD", "123")
    with translation.override("es"):
        assert "too short" in console.ensure_admin()[1]
        assert translation.get_language() == "es"


# --- the API --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "unknown", "refused", "untrained", "token"),
    [
        (
            "es",
            "La dirección /api/none/ no existe.",
            "Permitido: 1…365. Recibido: 400.",
            "Aún no se ha entrenado",
            "El token no es válido",
        ),
        (
            "en",
            "There is no address /api/none/.",
            "Allowed: 1…365. Received: 400.",
            "Nothing has been trained yet",
            "Token is invalid",
        ),
    ],
)
def test_the_api_answers_in_the_language_of_the_request(
    cast: dict[str, Any], language: str, unknown: str, refused: str, untrained: str, token: str
):
    client = Client(headers={"accept-language": language})
    wrong = client.post("/api/auth/refresh/", {"refresh": "x"}, content_type="application/json")
    assert wrong.json()["error"]["message"] == token
    signed_in = client.post(
        "/api/auth/login/", {"email": "ben@shop.test", "password": "pass-word-1"}, content_type="application/json"
    )
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {signed_in.json()['access']}"
    assert unknown in client.get("/api/none/").json()["error"]["message"]
    answer = client.post("/api/ml/predict-sales/", {"days_ahead": 400}, content_type="application/json")
    assert refused in answer.json()["error"]["message"]
    answer = client.post("/api/ml/predict-sales/", {}, content_type="application/json")
    assert answer.status_code == 409
    assert answer.json()["error"]["message"].startswith(untrained)


def test_the_admin_in_spanish(cast: dict[str, Any]):
    client = Client(headers={"accept-language": "es"})
    client.force_login(cast["ada"], backend="authentication.backends.EmailBackend")
    page = client.get("/admin/").content.decode()
    for label in (
        "entrenamientos",
        "versiones del modelo",
        "alertas de inventario",
        "segmentos de clientes",
        "pedidos",
    ):
        assert label in page.lower()
    assert not [
        word for word in ("training", "alert ", "order ", "outstanding", "attempt") if f">{word}" in page.lower()
    ]
    page = client.get("/admin/ml_predictions/mltraininglog/").content.decode()
    assert "Entrenar: Previsión de ventas" in page
