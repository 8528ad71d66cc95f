"""`nas targets`, `nas profile`: the devices, and what a network costs on one."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas.cli.networks import classes_option, input_option, parsed_input
from nas.cli.output import json_option, print_json, print_pairs, print_table
from searchspaces.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hardware_profiles.cost import Cost
    from hardware_profiles.target import Target


@click.command()
@json_option
def targets(as_json: bool) -> None:
    """List the targets: what each is, how its numbers come about, and how far they were checked."""
    from hardware_profiles.target import list_targets, load_target

    rows: list[dict[str, Any]] = []
    for name in list_targets():
        target = load_target(name)
        rows.append(
            {
                "name": target.name,
                "kind": target.kind,
                "method": target.method,
                "precisions": list(target.precisions),
                "runtime": target.runtime,
                "validated": target.validated,
                "may_gate": target.may_gate,
            }
        )
    if as_json:
        print_json(rows)
    else:
        print_table([{**row, **_words(row)} for row in rows])


def _words(row: dict[str, Any]) -> dict[str, str]:
    """The cells of a target that are more than a word."""
    found = ", ".join(f"{name} {value:g}" for name, value in (row["validated"] or {}).items())
    unknown = "no" if row["method"] == "predicted" else "–"
    return {"precisions": ", ".join(row["precisions"]), "validated": found or unknown}


@click.command()
@click.argument("network")
@click.option("--target", "target_name", default="host-cpu", show_default=True, help="See `nas targets`.")
@click.option("--precision", type=click.Choice(["float32", "int8"]), help="Default float32; a file has its own.")
@click.option("--threads", type=click.IntRange(1), help="Default: the target's.")
@click.option("--runs", type=click.IntRange(1), help="Timed runs a pass, at most.")
@click.option("--per-op", is_flag=True, help="Each operator too; its time comes from a second, slower run.")
@input_option
@classes_option
@json_option
def profile(
    network: str,
    target_name: str,
    precision: str | None,
    threads: int | None,
    runs: int | None,
    per_op: bool,
    input_text: str | None,
    classes: int | None,
    as_json: bool,
) -> None:
    """Say what NETWORK (a .tflite file, a reference name or an architecture id) costs on a target.

    A network that is not a file gets seeded random weights: time does not depend on what it has learnt.
    """
    from hardware_profiles.target import load_target

    target = load_target(target_name)
    if network.endswith(".tflite") or Path(network).is_file():
        if input_text or classes:
            raise InputError("--input, --classes: a .tflite file has its own; leave them out.")
        record, ops = _measure(target, Path(network), precision, threads, runs, per_op)
    else:
        record, ops = _profile_network(target, network, precision, threads, runs, per_op, input_text, classes)
    if as_json:
        print_json({**record, "ops": ops} if per_op else record)
        return
    print_pairs({name: value for name, value in record.items() if value not in (None, "")})
    if per_op:
        print_table(ops, title="per op")


def _profile_network(
    target: Target,
    network: str,
    precision: str | None,
    threads: int | None,
    runs: int | None,
    per_op: bool,
    input_text: str | None,
    classes: int | None,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    from hardware_profiles.lower import lower
    from hardware_profiles.memory import plan_arena
    from hardware_profiles.write_tflite import write_tflite
    from searchspaces.catalog import named_network

    spec = named_network(network, parsed_input(input_text), classes).spec.deployed
    graph = lower(spec, precision="int8" if precision == "int8" else "float32")
    if refused := target.unsupported(graph):
        raise InputError(f"{network}: {target.name} refuses {', '.join(refused)}; choose another network or target.")
    if target.method != "measured" and not per_op:
        costs = target.costs(graph, precision=precision, threads=threads, runs=runs)
        return {**_record(costs), "arena_bytes": plan_arena(graph).size_bytes}, []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.tflite"
        path.write_bytes(write_tflite(graph))
        return _measure(target, path, precision, threads, runs, per_op)


def _measure(
    target: Target, path: Path, precision: str | None, threads: int | None, runs: int | None, per_op: bool
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    from hardware_profiles.litert import find_runtime, measured_arena_bytes

    costs = target.costs_of_file(path, precision=precision, threads=threads, runs=runs)
    ops = target.per_op(path, threads=threads) if per_op else []
    # Only LiteRT ships the schema, which tells activations from weights.
    arena_bytes = measured_arena_bytes(path) if find_runtime().package == "ai-edge-litert" else None
    return {**_record(costs), "arena_bytes": arena_bytes}, ops


def _record(costs: Sequence[Cost]) -> dict[str, Any]:
    """The record of the first cost, and the values of the others by their metrics."""
    first, *others = costs
    return {**first.to_dict(), **{cost.metric: cost.value for cost in others}}
