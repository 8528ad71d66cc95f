"""`python -m benchmarks.synthetic_cells`: the claims of the neural predictor on made-up cells, judged exactly.

Cells as in NAS-Bench-101 (Ying et al. 2019): seven nodes, at most nine edges, three operations. Their accuracies are
not measured but made by a rule with a long lower tail, so that nothing has to be trained and the truth is known. Asked
is whether (a) two stages beat one in squared error on good cells, (b) a predictor's pick beats random search and
evolution at equal numbers of trials, and (c) how many of the trials the predictor should learn from.
"""

from __future__ import annotations

import csv
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any, ClassVar

import click
import numpy as np
from numpy.typing import NDArray

from hardware_profiles.fingerprint import host_fingerprint
from nas.constraints import Constraint
from nas.controllers.catalog import create_controller
from nas.costing import Assessment, NoCosts, check
from nas.pareto import Objective
from nas.problem import Problem
from nas.proposing import Proposer
from nas.regressors.graph import GraphRegressor
from nas.regressors.two_stage import TwoStage
from nas.trial import Trial
from searchspaces.architecture_graph import ArchitectureGraphs
from searchspaces.errors import InputError
from searchspaces.space import Architecture, Choice, Reference, SearchSpace
from searchspaces.spec import NetworkSpec

RESULT = Path(__file__).parent / "results" / "synthetic_cells.csv"
COLUMNS = ("at", "machine", "command", "seeds", "claim", "quantity", "value", "low", "high")
OPERATIONS = ("conv1x1-bn-relu", "conv3x3-bn-relu", "maxpool3x3")
GOOD = 91.0
# Of the trials, to learn from.
SHARES = (0.1, 0.25, 0.5, 0.75, 0.95)
_NODES = 7
_EDGES = tuple(combinations(range(_NODES), 2))
_RESAMPLED = 2000


class SyntheticCells(SearchSpace):
    """Every edge between seven nodes is there or not; the five inner ones have an operation. Nothing can be built."""

    name: ClassVar[str] = "synthetic-cells"
    choices = (
        *(Choice(name=f"edge_{source}_{target}", values=(0, 1)) for source, target in _EDGES),
        *(Choice(name=f"operation_{node}", values=OPERATIONS) for node in range(1, _NODES - 1)),
    )
    references: ClassVar[dict[str, Reference]] = {}

    def network(self, architecture: Architecture) -> NetworkSpec:
        """There is none."""
        raise InputError(f"{architecture}: expected a space of networks, got made-up cells; take nasbench201.")

    def architecture_graphs(self, architectures: Sequence[Architecture]) -> ArchitectureGraphs:
        """Five features: input, output and the operations; nodes on no way from input to output are left out."""
        rows = np.array([each.indices for each in architectures]).reshape(len(architectures), len(self.choices))
        wiring = np.zeros((len(rows), _NODES, _NODES), dtype=np.float32)
        for column, (source, target) in enumerate(_EDGES):
            wiring[:, source, target] = rows[:, column]
        loops = wiring + np.eye(_NODES)
        reach = np.linalg.matrix_power(loops, _NODES - 1) > 0
        present = reach[:, 0, :] & reach[:, :, -1]
        nodes = np.zeros((len(rows), _NODES, 2 + len(OPERATIONS)), dtype=np.float32)
        nodes[:, 0, 0] = nodes[:, -1, 1] = 1
        nodes[:, 1:-1, 2:] = np.eye(len(OPERATIONS), dtype=np.float32)[rows[:, len(_EDGES) :]]
        nodes *= present[:, :, None]
        return ArchitectureGraphs(nodes=nodes, adjacency=wiring * present[:, :, None] * present[:, None, :])


class CellCosts(NoCosts):
    """The edges left of a cell; infinitely many where nothing leads from the input to the output."""

    def __init__(self, space: SyntheticCells) -> None:
        self._space = space

    def assess(
        self, architecture: Architecture, metrics: Sequence[str], constraints: Sequence[Constraint]
    ) -> Assessment:
        """The limit of NAS-Bench-101 is nine edges."""
        graphs = self._space.architecture_graphs([architecture])
        edges = float(graphs.adjacency.sum()) if graphs.present[0, 0] else float("inf")
        return check({"edges": edges}, constraints)


def accuracy_percent(graphs: ArchitectureGraphs) -> NDArray[np.float64]:
    """The rule, ``[N]``: a best depth, 3x3 convolutions that pay off less and less, pools late better than early.

    What a cell lacks in quality costs accuracy exponentially: most are within three points of the best, a few are
    hopeless.
    """
    weight, depth = graphs.adjacency, np.zeros(graphs.nodes.shape[:2])
    for node in range(1, _NODES):
        depth[:, node] = ((depth + 1) * (weight[:, :, node] > 0)).max(axis=1)
    ones, threes, pools = (graphs.nodes[:, :, 2 + number] for number in range(len(OPERATIONS)))
    early = (pools * (depth <= 1)).sum(axis=1)
    skip = weight[:, 0, -1]
    quality = (
        1.3 * np.sqrt(threes.sum(axis=1))
        + 0.5 * np.sqrt(ones.sum(axis=1))
        - 0.25 * (depth[:, -1] - 4) ** 2
        - 0.5 * early
        + 0.4 * skip
        + 0.15 * weight.sum(axis=(1, 2)) / 3
    )
    return np.maximum(94.5 - 1.5 * np.exp(2.0 - 1.1 * quality), 10.0).astype(np.float64)


def observed(space: SyntheticCells, architectures: Sequence[Architecture], seed: int) -> NDArray[np.float64]:
    """One training each: the rule and noise of 0.2 points, the same whenever a cell is asked for."""
    noise = [np.random.default_rng([seed, *each.indices]).standard_normal() for each in architectures]
    return accuracy_percent(space.architecture_graphs(architectures)) + 0.2 * np.array(noise)


def problem_of(space: SyntheticCells) -> Problem:
    """The most accurate cell of at most nine edges."""
    return Problem(
        space=space,
        objectives=(Objective.parse("maximize accuracy"),),
        constraints=(Constraint.parse("edges <= 9"),),
        costs=CellCosts(space),
        cost_metrics=("edges",),
    )


def drawn(problem: Problem, count: int, seed: int) -> list[Architecture]:
    """Distinct feasible cells."""
    controller = create_controller("random", problem, {})
    proposer, found, number = Proposer(problem, controller, seed=seed), [], 0
    while len(found) < count:
        proposal = proposer.next(number)
        number += 1
        if proposal is not None and proposal.feasible:
            found.append(proposal.architecture)
    return found


def squared_errors(seed: int, *, examples: int, asked: int, regressor: GraphRegressor) -> tuple[float, float]:
    """Of one stage and of two, on the good ones among cells never seen that the classifier lets pass."""
    space = SyntheticCells()
    cells = drawn(problem_of(space), examples + asked, seed)
    known, held = cells[:examples], cells[examples:]
    targets, truth = observed(space, known, seed), accuracy_percent(space.architecture_graphs(held))
    features, questions = regressor.encode(space, known), regressor.encode(space, held)
    one = regressor.fit(features, targets, seed=seed).predict(questions).mean
    two = TwoStage(regressor, good=GOOD).fit(features, targets, seed=seed).predict(questions).mean
    passed = (truth > GOOD) & (two > targets.min() - 0.6)
    return float(np.square(one - truth)[passed].mean()), float(np.square(two - truth)[passed].mean())


def found_accuracy(controller: str, options: Mapping[str, Any], *, trials: int, seed: int) -> float:
    """The true accuracy of the cell with the best observed one."""
    space = SyntheticCells()
    problem = problem_of(space)
    searcher = create_controller(controller, problem, options)
    proposer, best, number = Proposer(problem, searcher, seed=seed), (-np.inf, 0.0), 0
    complete = 0
    while complete < trials:
        proposal = proposer.next(number)
        if proposal is None:
            break
        cell = proposal.architecture
        trial = Trial(number=number, architecture=cell, state="INFEASIBLE", reason="edges")
        if proposal.feasible:
            seen, complete = float(observed(space, [cell], seed)[0]), complete + 1
            best = max(best, (seen, float(accuracy_percent(space.architecture_graphs([cell]))[0])))
            trial = Trial(number=number, architecture=cell, state="COMPLETE", metrics={"accuracy": seen})
        searcher.update([trial])
        number += 1
    return best[1]


def figures(
    repeats: int, *, examples: int, asked: int, trials: int, shares: Sequence[float]
) -> Iterator[dict[str, Any]]:
    """All claims, one after the other."""
    regressor = GraphRegressor()
    errors = np.array(
        [squared_errors(seed, examples=examples, asked=asked, regressor=regressor) for seed in range(repeats)]
    )
    yield _row("a", "squared error on good cells, one stage", errors[:, 0])
    yield _row("a", "squared error on good cells, two stages", errors[:, 1])
    yield _row("a", "two stages' share of one stage's", errors[:, 1] / errors[:, 0])
    for name in ("random", "evolution"):
        yield _row("b", f"accuracy after {trials} trials, {name}", _found(name, {}, trials, repeats))
    for share in shares:
        initial = max(2, round(share * trials))
        options = {"regressor": "graph", "initial": initial, "batch": 0, "acquisition": "mean", "targets": "values"}
        found = _found("predictor", options, trials, repeats)
        yield _row("b, c", f"accuracy after {trials} trials, predictor from {initial}", found)


def _found(name: str, options: Mapping[str, Any], trials: int, repeats: int) -> NDArray[np.float64]:
    return np.array([found_accuracy(name, options, trials=trials, seed=seed) for seed in range(repeats)])


def _row(claim: str, quantity: str, values: NDArray[np.float64]) -> dict[str, Any]:
    """The mean over the seeds and the middle 95 % of means of resampled ones."""
    means = np.random.default_rng(0).choice(values, size=(_RESAMPLED, len(values))).mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    numbers = {"value": float(values.mean()), "low": float(low), "high": float(high)}
    return {"claim": claim, "quantity": quantity, **{name: f"{number:.4f}" for name, number in numbers.items()}}


@click.command()
@click.option("--repeats", default=10, show_default=True, type=click.IntRange(2), help="Seeds.")
@click.option("--examples", default=172, show_default=True, type=click.IntRange(10), help="Of claim (a).")
@click.option("--asked", default=1000, show_default=True, type=click.IntRange(10), help="Cells held out in claim (a).")
@click.option("--trials", default=120, show_default=True, type=click.IntRange(10), help="Of claims (b) and (c).")
@click.option("--share", "shares", multiple=True, default=SHARES, show_default=True, type=click.FloatRange(0, 1))
@click.option("--csv", "out", default=RESULT, show_default=True, type=click.Path(path_type=Path))
def main(repeats: int, examples: int, asked: int, trials: int, shares: tuple[float, ...], out: Path) -> None:
    """Check the three claims and write down the figures."""
    known = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()} {host_fingerprint('any').id}",
        "command": " ".join(["python -m benchmarks.synthetic_cells", *sys.argv[1:]]),
        "seeds": repeats,
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        for row in figures(repeats, examples=examples, asked=asked, trials=trials, shares=shares):
            writer.writerow({**known, **row})
            stream.flush()
            click.echo(f"({row['claim']}) {row['quantity']}: {row['value']} ({row['low']} to {row['high']})")


if __name__ == "__main__":
    main()
