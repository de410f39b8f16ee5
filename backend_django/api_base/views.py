"""The base of every list of the shop's own rows."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.admin.models import ADDITION, CHANGE
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_noop
from rest_framework import mixins
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from api_base import audit
from api_base import schema as schema  # noqa: PLC0414  # imported for its effect
from api_base.errors import Conflict, changed_meanwhile
from api_base.permissions import ByPermission


class Records(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet):
    """A list and its rows, by Django's permissions on their model.

    `needs` names the permissions of an action that is not one of DRF's own. `refusals` are exceptions of the app's
    services, with the code under which they are answered as 409.
    """

    permission_classes = (ByPermission,)
    lookup_value_converter = "int"
    needs: ClassVar[dict[str, tuple[str, ...]]] = {}
    refusals: ClassVar[dict[type[Exception], str]] = {}

    def handle_exception(self, exc: Exception) -> Response:
        """A refusal of the services is a conflict, in the services' own words."""
        code = next((code for kind, code in self.refusals.items() if isinstance(exc, kind)), None)
        return super().handle_exception(exc if code is None else Conflict(str(exc), code=code))

    def checked(self, serializer_class: Any) -> dict[str, Any]:
        """The body of the request as `serializer_class` reads it; raises ValidationError."""
        serializer = serializer_class(data=self.request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        found: dict[str, Any] = serializer.validated_data
        return found


class Entered(mixins.CreateModelMixin, Records):
    """Rows that are entered and never changed; each entry is audited, in one transaction with the row."""

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Store what the body describes; the answer is the row as it is read from now on."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        self.perform_create(serializer)
        return self.as_stored(serializer, 201)

    def as_stored(self, serializer: Any, status: int = 200) -> Response:
        """The row that was just stored, read again with all that the list shows of it."""
        row = self.get_queryset().get(pk=serializer.instance.pk)
        return Response(self.get_serializer(row).data, status=status)

    def perform_create(self, serializer: Any) -> None:
        """Store the new row."""
        self.stored(serializer, ADDITION, gettext_noop("Added by the API."))

    def stored(self, serializer: Any, flag: int, what: str) -> None:
        """Save and audit; what another call has just changed (the same key, a row it refers to) is a conflict."""
        try:
            with transaction.atomic():
                serializer.save()
                audit.record(self.request.user, serializer.instance, flag, what)
        except IntegrityError as error:
            raise changed_meanwhile() from error


class Editable(mixins.UpdateModelMixin, Entered):
    """Rows that are entered and changed."""

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Store the changes; the answer is the row as it is read from now on."""
        row, partial = self.get_object(), kwargs.get("partial", False)
        serializer = self.get_serializer(row, data=request.data, partial=partial)
        serializer.is_valid(raise_exception=True)
        self.perform_update(serializer)
        return self.as_stored(serializer)

    def perform_update(self, serializer: Any) -> None:
        """Store the changed row."""
        self.stored(serializer, CHANGE, gettext_noop("Changed by the API."))
