"""Tables in the documents that are written from what was measured."""

from __future__ import annotations

import pytest
from benchmarks.summary import PAGES, ROOT, put


@pytest.mark.parametrize(("name", "language"), PAGES.items())
def test_the_table_of_peers_is_what_the_benchmarks_kept(name, language):
    text = (ROOT / name).read_text()
    assert text.count("<!-- peers -->") == 1
    assert put(text, language) == text, "stale: python -m benchmarks.summary"
