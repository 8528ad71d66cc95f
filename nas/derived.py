"""Metrics made of costs on several targets: their average or worst case, as objective or as constraint.

Chu et al., "Discovering multi-hardware mobile models via architecture search", CVPR workshops 2021. In a search file:

    derived:
      latency_worst: {case: worst, reference: {latency_ms@pi5: 20, latency_ms@pixel4: 6.5}}
      latency_mean: {case: average, reference: {latency_ms@pi5: 20, latency_ms@pixel4: 6}, weights: {latency_ms@pi5: 3}}
    objectives:  [maximize accuracy, minimize latency_mean]
    constraints: ["latency_worst <= 1.2"]
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from hardware_profiles.multi_hardware import average_case, relative_latencies, worst_case
from nas.constraints import Constraint
from nas.costing import Assessment, CostSource, check
from searchspaces.errors import InputError, unknown_name
from searchspaces.space import Architecture

Case = Literal["average", "worst"]
_OPTIONS: Final = ("case", "reference", "weights")
_NAME = re.compile(r"[A-Za-z_][\w.\-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedMetric:
    """The average or the worst of several costs, each in units of its reference.

    reference: what counts as 1, by cost.  weights: of the average, by cost; 1 where none is given.
    """

    name: str
    case: Case
    reference: Mapping[str, float]
    weights: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def parse(cls, name: Any, data: Any) -> DerivedMetric:
        """Checks an entry of a search file's `derived` section."""
        where = f"derived.{name}"
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InputError(f"derived: expected a name of letters, digits and _, got {name!r}; write latency_worst.")
        if not isinstance(data, Mapping):
            raise InputError(f"{where}: expected {{case: worst, reference: {{…}}}}, got {data!r}; write its options.")
        for key in data:
            if key not in _OPTIONS:
                raise unknown_name(f"option of {where}", key, _OPTIONS)
        if data.get("case") not in get_args(Case):
            raise unknown_name(f"{where}: case", data.get("case"), get_args(Case))
        reference = _numbers(f"{where}.reference", data.get("reference"), above_zero=True)
        weights = _numbers(f"{where}.weights", data["weights"], above_zero=False) if "weights" in data else {}
        if weights and data["case"] == "worst":
            raise InputError(f"{where}: expected weights for an average only, got case worst; drop the weights.")
        for metric in weights:
            if metric not in reference:
                raise unknown_name(f"{where}.weights: cost", metric, reference)
        if not any(weights.get(metric, 1.0) for metric in reference):
            raise InputError(f"{where}.weights: expected one above 0, got none; drop the metric or give it weight.")
        return cls(name=name, case=data["case"], reference=reference, weights=weights)

    def to_dict(self) -> dict[str, Any]:
        """Plain data that `parse` reads back."""
        data: dict[str, Any] = {"case": self.case, "reference": dict(self.reference)}
        return {**data, "weights": dict(self.weights)} if self.weights else data

    def value(self, costs: Mapping[str, float]) -> float:
        """The metric from the costs it is made of; an `InputError` names one that is not above 0."""
        relative = relative_latencies({metric: costs[metric] for metric in self.reference}, self.reference)
        if self.case == "worst":
            return worst_case(relative)
        return average_case(relative, {metric: self.weights.get(metric, 1.0) for metric in relative})


class DerivedCosts:
    """Costs, and what is derived of them.

    Args:
        derived: the metrics by whose names may be asked.
        costs: where the others come from, and those they are made of.
    """

    def __init__(self, derived: Sequence[DerivedMetric], costs: CostSource) -> None:
        self._derived, self._costs = {each.name: each for each in derived}, costs

    def check_names(self, metrics: Sequence[str]) -> None:
        """Known are the derived metrics whose costs are known, and all other costs."""
        self._costs.check_names(self._plain(metrics))

    def is_cheap(self, metric: str) -> bool:
        """As cheap as the dearest cost it is made of."""
        return all(self._costs.is_cheap(each) for each in self._plain([metric]))

    def assess(
        self, architecture: Architecture, metrics: Sequence[str], constraints: Sequence[Constraint]
    ) -> Assessment:
        """Plain costs first; what is derived of them is known, and checked, once all of them are found."""
        own = [self._derived[metric] for metric in metrics if metric in self._derived]
        plain = [constraint for constraint in constraints if constraint.metric not in self._derived]
        found = self._costs.assess(architecture, self._plain(metrics), plain)
        if found.reason is not None or not own:
            return found
        derived = {each.name: each.value(found.metrics) for each in own}
        checked = check(derived, [constraint for constraint in constraints if constraint.metric in derived])
        return Assessment(
            metrics={**found.metrics, **derived},
            costs=found.costs,
            checked=(*found.checked, *checked.checked),
            violated=checked.violated,
            reason=checked.reason,
        )

    def _plain(self, metrics: Sequence[str]) -> list[str]:
        return plain_metrics(metrics, self._derived)


def plain_metrics(metrics: Sequence[str], derived: Mapping[str, DerivedMetric]) -> list[str]:
    """The metrics with derived ones replaced by the costs they are made of, each once."""
    parts = (list(derived[metric].reference) if metric in derived else [metric] for metric in metrics)
    return list(dict.fromkeys(each for part in parts for each in part))


def _numbers(where: str, value: Any, *, above_zero: bool) -> dict[str, float]:
    bound = "above 0" if above_zero else "of 0 or more"
    if not isinstance(value, Mapping) or not value:
        raise InputError(f"{where}: expected a number {bound} for each cost, got {value!r}; write latency_ms@pi5: 20.")
    for metric, number in value.items():
        fits = isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number)
        if not isinstance(metric, str) or not fits or number < 0 or (above_zero and number == 0):
            raise InputError(f"{where}: expected a number {bound} for {metric}, got {number!r}; correct it.")
    return {metric: float(number) for metric, number in value.items()}
