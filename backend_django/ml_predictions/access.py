"""Who may come in to pages that are no API views."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.module_loading import import_string
from rest_framework.request import Request

from ml_predictions import conf


def may_enter(request: HttpRequest, page: Any = None) -> bool:
    """Does the permission class of the setting PERMISSION let this user in?"""
    shim = Request(request)
    shim.user = request.user
    return bool(import_string(conf.get("PERMISSION"))().has_permission(shim, page))
