"""Ending trainings early: asynchronous successive halving by Pareto rank.

ASHA (Li et al., "A system for massively parallel hyperparameter tuning", MLSys 2020) for several objectives, as in
Schmucker et al., "Multi-objective asynchronous successive halving", arXiv 2106.12639: at a rung trials are ordered by
front and crowding, with the costs that are known from the start as the other objectives. A small network is not held
against a large one that is more accurate, but against those of its own size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nas.pareto import Objective
from nas.ranking import crowded_order
from searchspaces.errors import InputError


class ParetoHalving:
    """A trial goes on from a rung if it is among the first 1 / `reduction` of those that were there before, and itself.

    It never waits for others, so early trials go on more easily. One that is stopped counts as it stands.

    Args:
        objectives: what trials are ordered by.
        grace_epochs: the first rung; each further one is `reduction` times as far.
        reduction: one in so many goes on.
    """

    def __init__(self, objectives: Sequence[Objective], *, grace_epochs: int = 1, reduction: int = 3) -> None:
        for name, value, least in (("grace_epochs", grace_epochs, 1), ("reduction", reduction, 2)):
            if value < least:
                raise InputError(f"stopping asha: expected {name} {least} or more, got {value}; leave it out.")
        self._objectives, self._grace, self._reduction = tuple(objectives), grace_epochs, reduction

    def is_rung(self, epoch: int) -> bool:
        """Whether trials are compared after this epoch, counted from 1."""
        rung = self._grace
        while rung < epoch:
            rung *= self._reduction
        return rung == epoch

    def goes_on(self, metrics: Mapping[str, float], others: Sequence[Mapping[str, float]]) -> bool:
        """Whether a trial with these metrics at a rung goes on, given those of the others there; NaN comes last."""
        losses = [[objective.loss(each) for objective in self._objectives] for each in (metrics, *others)]
        order = crowded_order(losses, ["minimize"] * len(self._objectives)).tolist()
        return bool(order.index(0) < len(order) / self._reduction)
