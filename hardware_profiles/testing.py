"""Conformance kit for targets: what any target has to hold, built-in or a user's own.

    from hardware_profiles.target import load_target
    from hardware_profiles.testing import check_target

    def test_my_target():
        check_target(load_target("my-target.toml"), graphs)

Each check ends in an `AssertionError` that says what the target did. Give two or more graphs of one input shape, two of
them at least fourfold apart in MACs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hardware_profiles.cost import METHODS, Cost
from hardware_profiles.op_graph import Op, OpGraph
from hardware_profiles.target import Target
from hardware_profiles.target_file import KINDS
from searchspaces.errors import InputError

STRANGE_OP = "CUSTOM:NotAnOpOfAnyDevice"
MIN_MACS_RATIO = 4
MIN_COVERAGE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """A network whose cost is known from the device and was kept from the predictor."""

    graph: OpGraph
    value: float


def check_target(
    target: Target,
    graphs: Sequence[OpGraph],
    *,
    held_out: Sequence[HeldOut] = (),
    min_coverage: float = MIN_COVERAGE,
) -> None:
    """Run every check; a predicted target that says it was validated needs `held_out` rows."""
    check_description(target)
    check_refuses_strange_op(target, graphs[0])
    for graph in graphs:
        check_cost(target, graph, target.cost(graph))
    check_monotone(target, graphs)
    if (target.method == "predicted" and target.validated) or held_out:
        check_coverage(target, held_out, min_coverage=min_coverage)


def check_description(target: Target) -> None:
    """The name, kind, method and precisions are words of the vocabulary; an unchecked prediction rules nothing out."""
    assert target.name and target.name == target.name.strip(), f"name {target.name!r} is not a word"
    assert target.kind in KINDS, f"{target.name}: kind {target.kind!r} is not one of {KINDS}"
    assert target.method in METHODS, f"{target.name}: method {target.method!r} is not one of {METHODS}"
    assert target.precisions, f"{target.name}: no precision"
    assert target.method != "predicted" or target.validated or not target.may_gate, (
        f"{target.name}: predicted and not validated, yet it may rule architectures out"
    )


def check_refuses_strange_op(target: Target, graph: OpGraph) -> None:
    """An op no device has is named by `unsupported`, and `cost` refuses it; the graph without it is taken."""
    assert target.unsupported(graph) == (), f"{target.name} refuses a graph it should run: {target.unsupported(graph)}"
    source = graph.outputs[0]
    strange = replace(graph, ops=(*graph.ops, Op(STRANGE_OP, (source,), (source,))))
    reasons = target.unsupported(strange)
    assert any(STRANGE_OP in reason for reason in reasons), f"{target.name} does not name {STRANGE_OP}: {reasons}"
    try:
        cost = target.cost(strange)
    except InputError as error:
        assert STRANGE_OP in str(error), f"{target.name} refuses {STRANGE_OP} without naming it: {error}"
    else:
        raise AssertionError(f"{target.name} gives {cost.value} {cost.unit} for a graph with {STRANGE_OP}")


def check_cost(target: Target, graph: OpGraph, cost: Cost) -> None:
    """The record is that target's, holds its value inside its interval, and survives JSON."""
    assert cost.target == target.name, f"{target.name}: cost of target {cost.target!r}"
    assert cost.method == target.method, f"{target.name}: {target.method}, but its cost is {cost.method}"
    assert cost.precision == graph.precision, f"{target.name}: {graph.precision} graph, {cost.precision} cost"
    low, high = cost.bounds
    assert low <= cost.value <= high, f"{target.name}: {cost.value} outside {low} to {high}"
    unchecked = target.method != "measured" and not target.validated
    assert unchecked == (cost.low is None), (
        f"{target.name}: an interval of {cost.low} to {cost.high}, where it is "
        f"{'not ' if unchecked else ''}known how far the target is off"
    )
    assert cost.value > 0, f"{target.name}: {cost.value} {cost.unit} for a network with {len(graph.ops)} ops"
    copy = Cost.from_dict(json.loads(json.dumps(cost.to_dict())))
    assert copy == cost, f"{target.name}: JSON changes the record {cost} to {copy}"


def check_monotone(target: Target, graphs: Sequence[OpGraph]) -> None:
    """Of two graphs of one input shape, that with clearly more MACs is not clearly cheaper: the intervals decide."""
    small, large = min(graphs, key=lambda graph: graph.macs), max(graphs, key=lambda graph: graph.macs)
    assert _input_shapes(small) == _input_shapes(large), "the graphs to compare take inputs of different shapes"
    assert large.macs >= MIN_MACS_RATIO * small.macs, (
        f"the graphs have {small.macs} to {large.macs} MACs; give two at least {MIN_MACS_RATIO}-fold apart"
    )
    cheap, dear = target.cost(small), target.cost(large)
    (at_least, _), (_, at_most) = cheap.bounds, dear.bounds
    assert at_most >= at_least, (
        f"{target.name}: {large.macs} MACs cost at most {at_most} {dear.unit}, {small.macs} MACs at least {at_least}"
    )


def check_coverage(target: Target, held_out: Sequence[HeldOut], *, min_coverage: float = MIN_COVERAGE) -> None:
    """The intervals hold the true cost of at least `min_coverage` of the held-out rows."""
    assert held_out, f"{target.name}: give held-out rows to test its intervals on"
    inside = 0
    for row in held_out:
        cost = target.cost(row.graph)
        low, high = cost.bounds
        inside += low <= row.value <= high
    share = inside / len(held_out)
    assert share >= min_coverage, (
        f"{target.name}: intervals hold {share:.0%} of {len(held_out)} rows, not {min_coverage:.0%}"
    )


def _input_shapes(graph: OpGraph) -> list[tuple[int, ...]]:
    return [graph.tensors[index].shape for index in graph.inputs]
