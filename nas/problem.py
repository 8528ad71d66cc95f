"""The problem a controller is asked to solve, and what may be known of an architecture before it is tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nas.constraints import Constraint
from nas.costing import Assessment, CostSource, NoCosts
from nas.pareto import Objective
from searchspaces.space import Architecture, SearchSpace

# Architectures whose cheap costs are remembered; a controller may ask about one again and again.
_REMEMBERED = 1 << 17


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """A space, what to improve in it, which limits are hard, and where costs come from.

    cost_metrics: the metrics that are costs, found for every proposal, those of the constraints among them; all
        others are results of an evaluation.
    """

    space: SearchSpace
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = ()
    costs: CostSource = field(default_factory=NoCosts)
    cost_metrics: tuple[str, ...] = ()
    _remembered: dict[Architecture, Assessment] = field(default_factory=dict, init=False, repr=False)

    def assess(self, architecture: Architecture) -> Assessment:
        """Every cost and every constraint of one architecture, measured ones too."""
        return self.costs.assess(architecture, self.cost_metrics, self.constraints)

    def feasible(self, architectures: Sequence[Architecture]) -> NDArray[np.bool_]:
        """Which of N architectures keep the constraints, ``[N]``; one that takes a measurement counts as kept."""
        return np.array([self._cheap(each).reason is None for each in architectures], dtype=np.bool_)

    def known(self, architectures: Sequence[Architecture], metrics: Sequence[str]) -> NDArray[np.float64]:
        """Costs that take no measurement, ``[N, M]``; NaN for results, for measured costs, and past a broken limit."""
        rows = [[self._cheap(each).metrics.get(metric, np.nan) for metric in metrics] for each in architectures]
        return np.array(rows, dtype=np.float64).reshape(len(architectures), len(metrics))

    def _cheap(self, architecture: Architecture) -> Assessment:
        found = self._remembered.get(architecture)
        if found is None:
            metrics = [metric for metric in self.cost_metrics if self.costs.is_cheap(metric)]
            constraints = [constraint for constraint in self.constraints if self.costs.is_cheap(constraint.metric)]
            found = self.costs.assess(architecture, metrics, constraints)
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            self._remembered[architecture] = found
        return found
