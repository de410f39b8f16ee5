"""What the views share: who may come in, ids in addresses, `Prefer: wait`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar, cast

from django.utils.module_loading import import_string
from rest_framework.filters import SearchFilter
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ModelViewSet

from api_base.lists import Filters, Ordering, Page
from ml_predictions import conf
from ml_predictions.models import MLTrainingLog
from ml_predictions.serializers.inputs import LONGEST_ID, TrainNothing
from ml_predictions.serializers.records import rendered
from ml_predictions.views import errors
from retail_ml.errors import UnknownId


class Guarded:
    """Only who passes the permission class of the setting PERMISSION; read at each request.

    Bodies, lists and errors are the same in every project: DRF's defaults in its settings say nothing here.
    """

    parser_classes: Any = [errors.JSONParser]
    renderer_classes: Any = [JSONRenderer]
    pagination_class: Any = Page
    filter_backends: Any = [Filters, SearchFilter, Ordering]

    def get_exception_handler(self) -> Callable[..., Response]:
        """Errors in the one shape."""
        return errors.exception_handler

    def get_permissions(self) -> list[BasePermission]:
        """The one permission of the setting."""
        return [import_string(conf.get("PERMISSION"))()]

    def handle_exception(self, exc: Exception) -> Response:
        """A model file in service that is refused is made anew; the answer says so."""
        if getattr(exc, "code", "") == "artifact_refused":
            from ml_predictions.jobs import mending

            exc = mending.mend(cast("Any", exc))
        answered: Response = super().handle_exception(exc)  # type: ignore[misc]
        return answered


class Entered(Guarded, ModelViewSet):
    """Rows that people enter, change and delete through two actions, which audit it."""

    save: ClassVar[Callable[..., Any]]
    remove: ClassVar[Callable[..., None]]

    def perform_create(self, serializer: Any) -> None:
        """Store the new row, audited."""
        row = serializer.Meta.model(**serializer.validated_data)
        serializer.instance = type(self).save(row, user=self.request.user)

    def perform_update(self, serializer: Any) -> None:
        """Store the changed row, audited."""
        for name, value in serializer.validated_data.items():
            setattr(serializer.instance, name, value)
        type(self).save(serializer.instance, user=self.request.user)

    def perform_destroy(self, instance: Any) -> None:
        """Delete the row, audited."""
        type(self).remove(instance, user=self.request.user)


class Call(Guarded, GenericAPIView):
    """A call that is no list: `serializer_class` checks its body, or its query when it is read."""

    serializer_class: Any = TrainNothing
    pagination_class = None
    filter_backends: Any = []
    only_reads: ClassVar[bool] = False
    """A POST that stores nothing: keys that only read may make it."""

    def checked(self, request: Request) -> dict[str, Any]:
        """The body or the query with its defaults; raises ValidationError with what is allowed."""
        data = request.query_params.dict() if request.method in ("GET", "HEAD") else request.data
        serializer = self.get_serializer(data=data)
        serializer.is_valid(raise_exception=True)
        found: dict[str, Any] = serializer.validated_data
        return found


def service_of(name: str) -> Any:
    """A service; imported at the first request, so that the server starts quickly."""
    from ml_predictions.services import get_service

    return get_service(name)


def answer(found: dict[str, Any], status: int = 200, **headers: str) -> Response:
    """`found` with `success`, its stored messages as sentences."""
    return Response({"success": True, **rendered(found)}, status=status, headers=headers or None)


def checked_id(text: str) -> str:
    """An id out of an address; one that no shop can have is unknown, and asks no database."""
    if len(text) > LONGEST_ID or not text.isprintable():
        shown = "".join(c if c.isprintable() else "?" for c in text[:40])
        raise UnknownId(f"There is no id like {shown}.", code="unknown_id", id=shown)
    return text


def waited(request: Request, log: MLTrainingLog) -> tuple[MLTrainingLog, dict[str, str]]:
    """A run when it is over, or as it stands after as long as the caller wants to wait; and the headers that say so."""
    from ml_predictions import jobs

    asked = asked_to_wait(request)
    log = jobs.wait(log, conf.get("WAIT_DEFAULT") if asked is None else asked)
    return log, {} if asked is None else {"Preference-Applied": f"wait={asked}"}


def asked_to_wait(request: Request) -> int | None:
    """Seconds that the caller wants to wait (`Prefer: wait=N`), cut to WAIT_MAX; None when it does not say."""
    found = re.search(r"(?:^|[,;\s])wait\s*=\s*\"?([0-9]{1,6})\"?\s*(?:$|[,;])", request.headers.get("Prefer", ""))
    return min(int(found[1]), int(conf.get("WAIT_MAX"))) if found else None
