"""What the learned second stage consists of, as arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse

from retail_ml.recommend.crowd import Crowd
from retail_ml.recommend.scorers import SCORERS, LightTrees, Scorer, lightgbm_here

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class SecondStage:
    """A scorer for the lists "all" and "novel" (either may be missing), and the habits that they are told of."""

    crowd: Crowd
    scorers: dict[str, Scorer] = field(default_factory=dict)

    def to_arrays(self) -> tuple[dict[str, Any], Arrays]:
        """JSON values and arrays that `from_arrays` takes back."""
        habits = self.crowd.habits
        arrays = {
            "crowd_data": habits.data.astype(np.float32),
            "crowd_indices": habits.indices.astype(np.int32),
            "crowd_indptr": habits.indptr.astype(np.int32),
        }
        for name, scorer in self.scorers.items():
            arrays |= {f"second_{name}_{part}": array for part, array in scorer.to_arrays().items()}
        kinds = {name: scorer.kind for name, scorer in self.scorers.items()}
        return {"crowd_half_life": self.crowd.half_life, "second": kinds}, arrays

    @classmethod
    def from_arrays(cls, meta: dict[str, Any], arrays: Arrays, *, products: int) -> SecondStage | None:
        """The stage that `to_arrays` gave; None for a version without one. A scorer whose library is gone is left out.

        The crowd's arrays may be memory-mapped.
        """
        if "second" not in meta:
            return None
        parts = (arrays["crowd_data"], arrays["crowd_indices"], arrays["crowd_indptr"])
        habits = sparse.csr_matrix(parts, shape=(len(arrays["crowd_indptr"]) - 1, products))
        scorers = {}
        for name, kind in meta["second"].items():
            if kind == LightTrees.kind and not lightgbm_here():
                continue  # the linear stage serves that list
            own = f"second_{name}_"
            held = {key.removeprefix(own): array for key, array in arrays.items() if key.startswith(own)}
            scorers[name] = SCORERS[kind].from_arrays(held)
        return cls(Crowd(habits, float(meta["crowd_half_life"])), scorers)
