"""A regressor fitted to a table as evaluator, for spaces whose table is a sample."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.evaluators.base import Request
from nas.evaluators.table_file import Table, read_joined
from nas.held_out import HeldOut, held_out_errors
from nas.regressors.base import Fitted, Regressor
from nas.regressors.trees import BoostedTrees
from nas.trial import Outcome
from searchspaces.errors import InputError, unknown_name
from searchspaces.space import Architecture, SearchSpace

_FEWEST_ROWS = 20
_DEPTH = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Surrogate:
    """A fitted regressor for one metric, and its errors on rows it never saw."""

    metric: str
    held_out: HeldOut
    fitted_rows: int
    _space: SearchSpace
    _regressor: Regressor
    _fitted: Fitted
    _logarithm: bool

    def predict(self, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
        """Predictions ``[N]``."""
        found = self._fitted.predict(self._regressor.encode(self._space, architectures)).mean
        return np.exp(found) if self._logarithm else found


def fit_surrogate(
    space: SearchSpace, table: Table, metric: str, *, held_out: float = 0.2, trees: int = 300, seed: int = 0
) -> Surrogate:
    """Fit gradient-boosted trees to one metric of a table; the same table and seed give the same predictions.

    What is above zero throughout is fitted by its logarithm, for it is relative errors that count there.

    Args:
        space: of the table's architectures.
        table: the measurements.
        metric: which of its columns.
        held_out: share of the rows that the trees never see, drawn at random, rows of one network together; the errors
            are those on them.
        trees: how many.
        seed: of the split and of the trees.

    Raises:
        InputError: an unknown metric, too few rows, or a share outside 0 to 1.
    """
    if not 0 < held_out < 1:
        raise InputError(f"held_out: expected a share above 0 and below 1, got {held_out}; write for example 0.2.")
    values = table.column(metric)
    unseen = _held_out_rows(space, table, round(held_out * len(values)), seed)
    if len(values) < _FEWEST_ROWS or min(unseen.sum(), (~unseen).sum()) < 2:
        raise InputError(
            f"surrogate of {metric}: expected {_FEWEST_ROWS} rows or more, two of them held out and two not, got "
            f"{len(values)} rows of which {unseen.sum()} are held out; measure more networks."
        )
    regressor = BoostedTrees(trees=trees, depth=_DEPTH)
    features = regressor.encode(space, table.architectures)
    logarithm = bool((values > 0).all())
    fitted = regressor.fit(features[~unseen], np.log(values[~unseen]) if logarithm else values[~unseen], seed=seed)
    guessed = fitted.predict(features[unseen]).mean
    return Surrogate(
        metric=metric,
        held_out=held_out_errors(np.exp(guessed) if logarithm else guessed, values[unseen]),
        fitted_rows=int((~unseen).sum()),
        _space=space,
        _regressor=regressor,
        _fitted=fitted,
        _logarithm=logarithm,
    )


def _held_out_rows(space: SearchSpace, table: Table, count: int, seed: int) -> NDArray[np.bool_]:
    """Which rows are held out ``[N]``: of networks drawn at random all rows, until there are `count` or more."""
    place: dict[Hashable, int] = {}
    group = np.array([place.setdefault(space.network_key(each), len(place)) for each in table.architectures])
    order = np.random.default_rng(seed).permutation(len(place))
    reached = np.cumsum(np.bincount(group)[order])
    drawn = order[: np.searchsorted(reached, count) + 1] if count else order[:0]
    return np.isin(group, drawn)


class SurrogateEvaluator:
    """Predicts the metrics of any architecture of the space; what comes out is marked as predicted.

    Args:
        space: parses the ids of the table.
        metrics: which column holds which metric; one regressor is fitted to each.
        held_out: share of the rows that no regressor sees; its errors are those on them.
        trees: in each regressor.
        seed: of the split and of the trees.
        path, id, by_choice, repeated, incomplete, join: as of `TableEvaluator`.
    """

    cheap = True

    def __init__(
        self,
        space: SearchSpace,
        *,
        path: str,
        metrics: Mapping[str, str],
        id: str = "id",
        by_choice: bool = False,
        repeated: str = "refuse",
        incomplete: str = "refuse",
        join: Sequence[Mapping[str, Any]] = (),
        held_out: float = 0.2,
        trees: int = 300,
        seed: int = 0,
    ) -> None:
        options = {"id": id, "metrics": metrics, "by_choice": by_choice}
        options.update(repeated=repeated, incomplete=incomplete)
        table = read_joined(space, path, joined=join, **options)
        self.metrics = table.metrics
        self.surrogates = {
            metric: fit_surrogate(space, table, metric, held_out=held_out, trees=trees, seed=seed)
            for metric in table.metrics
        }

    @property
    def errors(self) -> dict[str, HeldOut]:
        """The held-out errors of every metric."""
        return {metric: surrogate.held_out for metric, surrogate in self.surrogates.items()}

    def evaluate(self, requests: Sequence[Request]) -> list[Outcome]:
        """All metrics of all requests, in one go."""
        architectures = [request.architecture for request in requests]
        columns = [surrogate.predict(architectures).tolist() for surrogate in self.surrogates.values()]
        rows = [dict(zip(self.metrics, values, strict=True)) for values in zip(*columns, strict=True)]
        return [Outcome(state="COMPLETE", metrics=row, details={"method": "predicted"}) for row in rows]

    def row(self, architecture: Architecture) -> Mapping[str, float]:
        """The metrics of an architecture, each predicted when it is asked for."""
        return _Predicted(self.surrogates, architecture)


class _Predicted(Mapping[str, float]):
    def __init__(self, surrogates: Mapping[str, Surrogate], architecture: Architecture) -> None:
        self._surrogates, self._architecture = surrogates, architecture

    def __getitem__(self, metric: str) -> float:
        if metric not in self._surrogates:
            raise unknown_name("predicted metric", metric, self._surrogates)
        return float(self._surrogates[metric].predict([self._architecture])[0])

    def __contains__(self, metric: object) -> bool:
        return metric in self._surrogates

    def __iter__(self) -> Iterator[str]:
        return iter(self._surrogates)

    def __len__(self) -> int:
        return len(self._surrogates)
