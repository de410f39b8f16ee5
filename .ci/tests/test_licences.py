"""The page of licences is what is installed, and all of it fits."""

from __future__ import annotations

import licences


def test_the_page_is_what_is_installed_and_everything_fits():
    assert len(licences.names()) > 30
    assert [name for name in licences.names() if not licences.fits(licences.licence(name))] == []
    assert licences.page() == licences.PAGE.read_text(), "stale: python .ci/licences.py --write"


def test_what_does_not_fit_is_refused():
    assert not licences.fits("not stated")
    assert not licences.fits("GPL-3.0-or-later")
    assert not licences.fits("MIT AND AGPL-3.0-only")
    assert licences.fits("LGPL-3.0-only")
