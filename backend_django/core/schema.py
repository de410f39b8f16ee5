"""What the OpenAPI document says beyond the views: every operation's errors, in the one shape."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.openapi import AutoSchema
from rest_framework.serializers import ListSerializer

from api_base.serializers import Strict

ERROR = {
    "type": "object",
    "required": ["success", "error"],
    "properties": {
        "success": {"type": "boolean", "const": False},
        "error": {
            "type": "object",
            "required": ["code", "message", "details"],
            "properties": {
                "code": {"type": "string", "description": "Stable: programs decide by it."},
                "message": {
                    "type": "string",
                    "description": "A sentence in the language of the request: which thing, what was needed, what "
                    "was found, what to do.",
                },
                "details": {"type": "object", "additionalProperties": True},
            },
        },
    },
}
MEANING = {
    "400": "The input is outside its range: per field what is allowed and what was received.",
    "401": "No token, or one that is not valid any more.",
    "403": "Signed in, but the role and the user's permissions do not allow it.",
    "404": "There is no such address or id.",
    "405": "The address does not know this method.",
    "406": "The answer is JSON; the request takes none.",
    "409": "Not in this state: nothing trained yet, too little data, a training under way; the message says what next.",
    "413": "The body is larger than this call takes.",
    "414": "The address is longer than 4,096 characters.",
    "415": "The body is of a kind that this call does not take; most take JSON.",
    "429": "Too many requests: `Retry-After` says in how many seconds to try again.",
    "500": "A fault of the server; its log has the details under the id in `details`.",
}
STANDARD = {"list", "retrieve", "create", "update", "partial_update", "destroy"}


class Schema(AutoSchema):
    """Names that read well in a generated client, and bodies that take no unknown field."""

    def get_operation_id(self) -> str:
        """`orders_cancel`, not `orders_cancel_create`: the verb is added for DRF's own actions alone."""
        name = str(super().get_operation_id())
        action = getattr(self.view, "action", None)
        one = self.path.endswith("}/")  # `inventory_analysis_retrieve` of one variant stands beside the whole analysis
        return name if one or action in STANDARD else re.sub("_(create|retrieve|list)$", "", name)

    def _map_serializer_field(self, field: Any, direction: str, bypass_extensions: bool = False) -> dict[str, Any]:
        found: dict[str, Any] = super()._map_serializer_field(field, direction, bypass_extensions)
        if isinstance(field, ListSerializer) and found.get("type") == "array":
            limits = {"minItems": getattr(field, "min_length", None), "maxItems": getattr(field, "max_length", None)}
            found |= {name: limit for name, limit in limits.items() if limit is not None}
        return found

    def _map_basic_serializer(self, serializer: Any, direction: str) -> dict[str, Any]:
        found: dict[str, Any] = super()._map_basic_serializer(serializer, direction)
        if direction == "request" and isinstance(serializer, Strict):
            found["additionalProperties"] = False
        return found


METHODS = {"get", "post", "put", "patch", "delete"}


def document_errors(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the error shape to every operation: a hook of drf-spectacular."""
    result.setdefault("components", {}).setdefault("schemas", {})["Error"] = ERROR
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    for path in result.get("paths", {}).values():
        for method, operation in path.items():
            if method not in METHODS:
                continue
            codes = set(MEANING) if "requestBody" in operation else set(MEANING) - {"413", "415"}
            for code in sorted(codes):
                added = {"description": MEANING[code], "content": content}
                if code == "429":
                    added["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
                operation["responses"].setdefault(code, added)
    return result
