"""Ben before the dashboard."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client


@pytest.fixture
def ben(cast: dict[str, Any]) -> Client:
    """Ben, the administrator, signed in, reading English."""
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(cast["ben"], backend="authentication.backends.EmailBackend")
    return client
