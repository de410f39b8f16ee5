"""Stability of distributions: golden values, and how often chance alone is called a shift."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from retail_ml import drift


def test_the_index_is_the_sum_of_both_divergences():
    """Kullback–Leibler both ways, as SciPy has it, on the shares with half a case added."""
    rng = np.random.default_rng(1)
    p, q = rng.integers(0, 300, 10).astype(float), rng.integers(0, 300, 10).astype(float)
    shares = [(counts + 0.5) / (counts + 0.5).sum() for counts in (p, q)]
    golden = special.rel_entr(*shares).sum() + special.rel_entr(*shares[::-1]).sum()
    assert drift.stability_index(p, q) == pytest.approx(golden, rel=1e-12)
    assert drift.stability_index(p, q) == pytest.approx(drift.stability_index(q, p))


def test_samples_of_one_distribution_are_hardly_ever_called_shifted():
    rng, called, chances = np.random.default_rng(2), 0, []
    for _ in range(400):
        counts = drift.binned(rng.lognormal(3, 1, 900), rng.lognormal(3, 1, 120))
        index = drift.stability_index(*counts)
        chances.append(drift.chance_of(index, *counts))
        called += drift.shifted(index, chances[-1])
    assert called <= 1  # of 400, where a chance of 1 in 1,000 is asked for
    assert 0.4 < np.mean(np.array(chances) < 0.5) < 0.62  # the law of chance is the stated one


def test_a_shift_of_half_is_found_and_a_tenth_is_not():
    rng = np.random.default_rng(3)
    then, found = rng.lognormal(3, 1, 2_000), {}
    for factor in (1.1, 3.0):
        counts = drift.binned(then, factor * rng.lognormal(3, 1, 400))
        index = drift.stability_index(*counts)
        found[factor] = drift.shifted(index, drift.chance_of(index, *counts))
    assert found == {1.1: False, 3.0: True}


def test_equal_prices_share_a_bin():
    then, now = drift.binned(np.full(50, 9.99), np.array([9.99, 9.99, 12.0]))
    assert (then.tolist(), now.tolist()) == ([50.0, 0.0], [2.0, 1.0])
