"""`nas spaces`, `nas sample`, `nas describe`: what there is to search, without training anything."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from nas.cli.output import json_option, print_json, print_pairs, print_table
from searchspaces.errors import NoResultError

if TYPE_CHECKING:
    from hardware_profiles.op_graph import OpGraph
    from searchspaces.catalog import NamedNetwork
    from searchspaces.layers import Shape
    from searchspaces.spec import NetworkSpec

input_option = click.option(
    "--input", "input_text", help="Shape of one example: 32x32x3, 8x64x64x3 for clips, or 54 features."
)
classes_option = click.option("--classes", type=click.IntRange(1), help="Number of outputs.")
_SAMPLE_TRIES = 200


@click.command()
@json_option
def spaces(as_json: bool) -> None:
    """List the search spaces."""
    from searchspaces.catalog import SPACES, create_space

    rows: list[dict[str, Any]] = []
    for name, kind in SPACES.items():
        space = create_space(name)
        rows.append(
            {
                "name": name,
                "size": space.size,
                "index_count": space.index_count,
                "choices": [
                    {"name": choice.name, "values": list(choice.values), "unsearched": list(choice.unsearched)}
                    for choice in space.choices
                ],
                "reference_networks": list(kind.references),
            }
        )
    if as_json:
        print_json(rows)
        return
    print_table(
        [
            {
                "space": row["name"],
                "size": row["size"],
                "as papers count": row["index_count"],
                "choices": len(row["choices"]),
                "published": len(row["reference_networks"]),
            }
            for row in rows
        ]
    )
    for row in rows:
        names = ", ".join(row["reference_networks"])
        if names:
            click.echo(
                textwrap.fill(f"{row['name']}: {names}", width=79, subsequent_indent="    ", break_on_hyphens=False)
            )


@click.command()
@click.argument("space")
@click.option("-n", "count", default=10, show_default=True, type=click.IntRange(1), help="How many architectures.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of the draw.")
@click.option("--constraint", "constraints", multiple=True, help='Such as "params <= 3e5"; may be repeated.')
@input_option
@classes_option
@json_option
def sample(
    space: str,
    count: int,
    seed: int,
    constraints: tuple[str, ...],
    input_text: str | None,
    classes: int | None,
    as_json: bool,
) -> None:
    """Draw feasible architectures of SPACE, uniform over its choices."""
    import numpy as np

    from nas.constraints import Constraint
    from nas.costing import STATIC_METRICS, NetworkCosts, check_gates
    from searchspaces.catalog import create_space, parse_shape

    made = create_space(space, parse_shape(input_text) if input_text else None, classes)
    parsed = [Constraint.parse(text) for text in constraints]
    targets = _targets(constraint.metric for constraint in parsed)
    costs = NetworkCosts(made, targets, "float32", lambda spec: spec)
    metrics = tuple(dict.fromkeys(["params", "macs", *(constraint.metric for constraint in parsed)]))
    costs.check_names(metrics)
    check_gates(parsed, targets)
    rng, looked_at = np.random.default_rng(seed), 0
    rows: list[dict[str, Any]] = []
    limit = max(2000, _SAMPLE_TRIES * count)
    while len(rows) < count and looked_at < limit:
        for architecture in made.sample(rng, min(64, limit - looked_at)):
            looked_at += 1
            found = costs.assess(architecture, metrics, parsed)
            if found.reason is None and len(rows) < count:
                rows.append({"id": architecture.id, **found.metrics})
    if not rows:
        raise NoResultError(
            f"constraints: none of {looked_at} architectures of {space} keeps {', '.join(constraints)}; "
            f"loosen them. {', '.join(STATIC_METRICS)} can be bounded."
        )
    if len(rows) < count:
        click.echo(f"only {len(rows)} feasible among {looked_at} looked at", err=True)
    if as_json:
        print_json(rows)
    else:
        print_table(rows)


@click.command()
@click.argument("network")
@input_option
@classes_option
@json_option
def describe(network: str, input_text: str | None, classes: int | None, as_json: bool) -> None:
    """Say what NETWORK (a reference name or an architecture id) is and costs; no weights are allocated."""
    from searchspaces.catalog import named_network, parse_shape

    data = description(named_network(network, parse_shape(input_text) if input_text else None, classes))
    if as_json:
        print_json(data)
        return
    ops = ", ".join(f"{count} {kind}" for kind, count in data.pop("ops").items())
    portability = _portability_text(data.pop("portability"))
    print_pairs({**{name: _text(value) for name, value in data.items()}, "ops": ops, **portability})


def description(named: NamedNetwork) -> dict[str, Any]:
    """The record that `nas describe` prints."""
    from hardware_profiles.lower import lower
    from hardware_profiles.memory import plan_arena
    from hardware_profiles.portability import audit, is_portable

    spec, deployed = named.spec, named.spec.deployed
    graph = lower(deployed)
    findings, arena = audit(graph), plan_arena(graph)
    data = {
        "name": named.name,
        "id": named.architecture.id,
        "params": spec.params,
        "trainable_params": spec.trainable_params,
        "macs": graph.macs,
        "input_shape": list(spec.input_shape),
        "output_shapes": [list(shape) for shape in spec.output_shapes.values()],
        "output_names": list(spec.output_shapes),
        "weight_bytes": graph.weight_bytes,
        "peak_activation_bytes": arena.peak_activation_bytes,
        "arena_bytes": arena.size_bytes,
        "ops": graph.op_counts,
        "portability": {
            "portable": is_portable(findings),
            **{kind: [asdict(finding) for finding in found] for kind, found in findings.items()},
        },
    }
    return {**data, **_over_time(named, deployed, graph)} if len(spec.input_shape) == 4 else data


def _over_time(named: NamedNetwork, deployed: NetworkSpec, graph: OpGraph) -> dict[str, Any]:
    """What a network for clips costs over time; `macs` itself is of one run: a clip, or a frame of a stream."""
    from hardware_profiles.lower import lower

    spec = named.spec
    frames = spec.input_shape[0]
    per_clip = graph.macs if deployed is spec else lower(spec).macs
    reference = named.space.references.get(named.name)
    return {
        "frames": frames,
        "frames_per_second": None if reference is None else reference.frames_per_second,
        "streaming": spec.is_causal,
        "macs_per_clip": per_clip,
        "macs_per_frame": graph.macs if spec.is_causal else per_clip / frames,
        "states": len(deployed.state_shapes),
        "state_bytes": graph.state_bytes,
    }


def parsed_input(text: str | None) -> Shape | None:
    """The shape of `--input`, None where it was left out."""
    from searchspaces.catalog import parse_shape

    return parse_shape(text) if text else None


def _targets(metrics: Any) -> dict[str, Any]:
    from hardware_profiles.target import load_target

    names = {metric.partition("@")[2] for metric in metrics if "@" in metric}
    return {name: load_target(name) for name in sorted(names)}


def _portability_text(portability: dict[str, Any]) -> dict[str, str]:
    """Whether the network is portable, and a line for each kind of device that something speaks against."""
    portable = portability.pop("portable")
    lines = {
        f"on {kind}": "; ".join(f"{finding['count']} {finding['what']}: {finding['reason']}" for finding in found)
        for kind, found in portability.items()
        if found
    }
    return {"portable": f"yes: {', '.join(portability)}" if portable else "no", **lines}


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value)) if any(isinstance(item, list) for item in value) else _joined(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _joined(value: list[Any]) -> str:
    return (", " if any(isinstance(item, str) for item in value) else " × ").join(map(str, value))
