"""What an architecture costs, and whether it keeps the hard constraints, before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hardware_profiles.cost import Cost
from hardware_profiles.lower import lower
from hardware_profiles.memory import peak_activation_bytes, plan_arena
from hardware_profiles.op_graph import OpGraph, Precision
from hardware_profiles.target import Target
from nas.constraints import Constraint
from searchspaces.errors import InputError, NoResultError, unknown_name
from searchspaces.space import Architecture, SearchSpace
from searchspaces.spec import NetworkSpec

STATIC_METRICS: dict[str, Callable[[NetworkSpec, OpGraph], float]] = {
    "params": lambda spec, graph: spec.params,
    "trainable_params": lambda spec, graph: spec.trainable_params,
    "macs": lambda spec, graph: graph.macs,
    "ops": lambda spec, graph: len(graph.ops),
    "state_bytes": lambda spec, graph: graph.state_bytes,
    "weight_bytes": lambda spec, graph: graph.weight_bytes,
    "peak_activation_bytes": lambda spec, graph: peak_activation_bytes(graph),
    "arena_bytes": lambda spec, graph: plan_arena(graph).size_bytes,
}


def check_gates(constraints: Iterable[Constraint], targets: Mapping[str, Target]) -> None:
    """Refuse a constraint on a target whose costs may not rule an architecture out.

    Raises:
        InputError: names the constraint and the target.
    """
    for constraint in constraints:
        target = targets.get(constraint.metric.partition("@")[2])
        if target is not None and not target.may_gate:
            raise InputError(
                f"constraint {constraint}: expected a target that was held against measurements, got {target.name}, "
                f"which is {target.method} and was not; make {constraint.metric} an objective, which only orders "
                "networks, or choose another target."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """Costs of one architecture as far as they were needed, and why it is infeasible, if it is.

    `checked` names the constraints that were looked at: once a cheap one is violated, dearer costs are not found.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    costs: Sequence[Mapping[str, Any]] = ()
    checked: tuple[Constraint, ...] = ()
    violated: tuple[Constraint, ...] = ()
    reason: str | None = None


def check(values: Mapping[str, float], constraints: Sequence[Constraint]) -> Assessment:
    """The constraints on the values that are known, and which of them are broken."""
    checked = tuple(constraint for constraint in constraints if constraint.metric in values)
    violated = tuple(constraint for constraint in checked if not constraint.holds(values[constraint.metric]))
    reason = ", ".join(dict.fromkeys(constraint.metric for constraint in violated)) or None
    return Assessment(metrics=values, checked=checked, violated=violated, reason=reason)


class CostSource(Protocol):
    """Where costs come from: the network itself, or a table of measurements."""

    def assess(
        self, architecture: Architecture, metrics: Sequence[str], constraints: Sequence[Constraint]
    ) -> Assessment:
        """Find `metrics`, and check the constraints with as little work as may be."""
        ...

    def check_names(self, metrics: Sequence[str]) -> None:
        """Raise an `InputError` for a metric this source cannot tell."""
        ...

    def is_cheap(self, metric: str) -> bool:
        """Whether a metric is found without a measurement, so that thousands may be asked for."""
        ...


class NoCosts:
    """Every architecture is free and feasible."""

    def assess(
        self, architecture: Architecture, metrics: Sequence[str], constraints: Sequence[Constraint]
    ) -> Assessment:
        """Nothing is found and nothing is checked."""
        return Assessment()

    def check_names(self, metrics: Sequence[str]) -> None:
        """Every name will do."""

    def is_cheap(self, metric: str) -> bool:
        """Nothing is cheaper."""
        return True


class NetworkCosts:
    """Costs of the network an architecture stands for: counted, planned, or asked of a target.

    Args:
        space: whose architectures are asked about.
        targets: by name, for metrics such as ``latency_ms@host-cpu``.
        precision: in which the network will run.
        prepare: what the task adds to every network (rescaling its input).
    """

    def __init__(
        self,
        space: SearchSpace,
        targets: Mapping[str, Target],
        precision: Precision,
        prepare: Callable[[NetworkSpec], NetworkSpec],
    ) -> None:
        self._space, self._targets, self._precision, self._prepare = space, targets, precision, prepare

    def check_names(self, metrics: Sequence[str]) -> None:
        """Known are the static metrics, and what the targets given find, as ``latency_ms@TARGET``."""
        found = (f"{metric}@{name}" for name, target in self._targets.items() for metric in target.metrics)
        known = [*STATIC_METRICS, *found]
        for metric in metrics:
            if metric not in known:
                raise unknown_name("cost", metric, known)

    def is_cheap(self, metric: str) -> bool:
        """Counted metrics, and predictions."""
        return metric in STATIC_METRICS or self._targets[metric.partition("@")[2]].method == "predicted"

    def assess(
        self, architecture: Architecture, metrics: Sequence[str], constraints: Sequence[Constraint]
    ) -> Assessment:
        """Counted costs first; a target is asked only about what is feasible so far.

        Costs are those of the form that a device runs: of a stream, one frame's.
        """
        spec = self._prepare(self._space.network(architecture)).deployed
        graph = lower(spec, precision=self._precision)
        static = [metric for metric in metrics if metric in STATIC_METRICS]
        values = {metric: float(STATIC_METRICS[metric](spec, graph)) for metric in static}
        found = check(values, constraints)
        if found.violated:
            return found
        rest = [metric for metric in metrics if metric not in values]
        return self._measured(graph, values, found.checked, rest, constraints)

    def _measured(
        self,
        graph: OpGraph,
        values: dict[str, float],
        checked: tuple[Constraint, ...],
        metrics: Sequence[str],
        constraints: Sequence[Constraint],
    ) -> Assessment:
        records: list[Mapping[str, Any]] = []
        found: dict[str, Cost] = {}
        for metric in metrics:
            target = self._targets[metric.partition("@")[2]]
            if unsupported := target.unsupported(graph):
                reason = f"{unsupported[0]} on {target.name}"
                return Assessment(metrics=values, costs=records, checked=checked, reason=reason)
            if metric not in found:
                try:
                    found |= {cost.key: cost for cost in target.costs(graph)}
                except NoResultError as error:
                    # A device that cannot run one network is no reason to end the search; one that is gone is.
                    return Assessment(metrics=values, costs=records, checked=checked, reason=f"{metric}: {error}")
            cost = found[metric]
            values[metric] = cost.value
            records.append(cost.to_dict())
            asked = tuple(constraint for constraint in constraints if constraint.metric == metric)
            checked += asked
            violated = tuple(constraint for constraint in asked if not constraint.holds(cost.value))
            if violated:
                return Assessment(metrics=values, costs=records, checked=checked, violated=violated, reason=metric)
        return Assessment(metrics=values, costs=records, checked=checked)
