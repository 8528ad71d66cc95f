"""The product's own searches on a table: controllers propose, nothing is trained twice, every trained network counts.

Controllers that are given the limit train nothing over it. A shaped reward is given the parameters and their target
instead: what it trains over the limit is paid for like any other, and can never be the result.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.tabnas_tables.truth import Floats, Truth
from nas.constraints import Constraint
from nas.controllers.catalog import create_controller
from nas.costing import NetworkCosts
from nas.evaluators.base import Request
from nas.evaluators.table import TableCosts, TableEvaluator
from nas.pareto import Objective
from nas.problem import Problem
from nas.proposing import Proposer
from nas.trial import Trial


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A controller with its options; `limited` gives it the limit, `options` may name the limit as a target."""

    label: str
    controller: str
    limited: bool = True
    options: Callable[[Truth], Mapping[str, Any]] = field(default=lambda truth: {})


def shaped(reward: str, beta: float) -> Contender:
    """A policy under a reward that weighs the parameters."""
    return Contender(
        label=f"{reward} {beta:g}",
        controller="reinforce",
        limited=False,
        options=lambda truth: {"reward": reward, "beta": beta, "cost": "params", "target": float(truth.limit)},
    )


RANDOM = Contender(label="random", controller="random")
EVOLUTION = Contender(
    label="evolution", controller="evolution", options=lambda truth: {"population": 8, "tournament": 4}
)
REJECTION = Contender(label="rejection", controller="reinforce")
# The shaped rewards with weights that did well for policies on these tables.
CONTENDERS: Final = (
    RANDOM,
    EVOLUTION,
    REJECTION,
    shaped("absolute", -0.1),
    shaped("mnas_soft", -0.07),
    shaped("mnas_hard", -0.2),
)


class Field:
    """A table as the ground that contenders run on."""

    def __init__(self, truth: Truth) -> None:
        self.truth = truth
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "table.csv"
            truth.write(path)
            self._table = TableEvaluator(truth.space, path=str(path))
        self._problems = {limited: self._problem(limited) for limited in (True, False)}

    def run(self, contender: Contender, *, trained: int, seed: int) -> Floats:
        """Regret of the best to see within the limit after 1, 2, … trained networks, ``[trained]``; NaN before any."""
        problem = self._problems[contender.limited]
        controller = create_controller(contender.controller, problem, contender.options(self.truth))
        proposer = Proposer(problem, controller, seed=seed)
        regrets: list[float] = []
        seen_best, regret, number = -np.inf, np.nan, 0
        while len(regrets) < trained and (proposal := proposer.next(number)) is not None:
            architecture = proposal.architecture
            if not proposal.feasible:
                trial = Trial(number=number, architecture=architecture, state="INFEASIBLE", reason="params")
            else:
                (outcome,) = self._table.evaluate([Request(number=number, architecture=architecture, seed=seed)])
                trial = Trial(number=number, architecture=architecture, state="COMPLETE", metrics=outcome.metrics)
                within = trial.metrics["params"] <= self.truth.limit
                if within and trial.metrics["accuracy"] > seen_best:
                    seen_best = trial.metrics["accuracy"]
                    regret = 100 * (self.truth.best - trial.metrics["test_accuracy"])
                regrets.append(regret)
            controller.update([trial])
            number += 1
        # A space that is used up leaves what was found.
        return np.array(regrets + [regret] * (trained - len(regrets)))

    def _problem(self, limited: bool) -> Problem:
        limit = Constraint(metric="params", comparison="<=", bound=float(self.truth.limit))
        return Problem(
            space=self.truth.space,
            objectives=(Objective(metric="accuracy", direction="maximize"),),
            constraints=(limit,) if limited else (),
            costs=TableCosts(self._table, NetworkCosts(self.truth.space, {}, "float32", lambda spec: spec)),
            cost_metrics=("params",),
        )
