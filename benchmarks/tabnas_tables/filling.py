"""What a table lacks, predicted from what it has: only for networks over the limit, which are no result of a search.

Shaped rewards look at such networks on their way, so they need a value. Large networks are much alike, and dear.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """How many values were predicted, and how well that is done for measured networks that were held out.

    error: root of the mean squared error, in points, over held-out networks of the size of those predicted.
    spread: standard deviation of the same networks' accuracy, in points.
    checked: how many these were.
    """

    count: int
    error: float
    spread: float
    checked: int


def fill(
    widths: NDArray[np.float64], params: NDArray[np.float64], accuracy: NDArray[np.float64]
) -> tuple[NDArray[np.float64], Filling]:
    """The accuracies ``[N]``, NaN where there is none, with predictions in their place; from widths ``[N, layers]``."""
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.model_selection import cross_val_predict

    known = np.isfinite(accuracy)
    features = np.log(np.column_stack([widths, params]))
    trees = ExtraTreesRegressor(n_estimators=100, min_samples_leaf=2, random_state=0)
    alike = params[known] >= params[~known].min()
    held_out = cross_val_predict(trees, features[known], accuracy[known], cv=_shuffled())[alike]
    measured = accuracy[known][alike]
    filled = accuracy.copy()
    filled[~known] = trees.fit(features[known], accuracy[known]).predict(features[~known])
    return filled, Filling(
        count=int((~known).sum()),
        error=100 * float(np.sqrt(np.mean((held_out - measured) ** 2))),
        spread=100 * float(measured.std()),
        checked=len(measured),
    )


def _shuffled():  # type: ignore[no-untyped-def]
    from sklearn.model_selection import KFold

    return KFold(_FOLDS, shuffle=True, random_state=0)
