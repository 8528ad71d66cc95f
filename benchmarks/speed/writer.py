"""From an architecture to a file that loads, and to a measured latency: written directly, or through TensorFlow.

Both ways make the same network from the same architecture at the same settings, in turns, with every import and first
call done beforehand; the direct way needs none of TensorFlow's seconds of import, which are left out of both.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.speed.row import Row, at_least, at_most, median_row, ratio_row
from benchmarks.speed.timing import in_turns
from searchspaces.layers import Shape

if TYPE_CHECKING:
    from hardware_profiles.measure import Measurement
    from hardware_profiles.op_graph import OpGraph, Precision
    from hardware_profiles.target import Target
    from searchspaces.catalog import NamedNetwork

_PRECISIONS: tuple[Precision, ...] = ("float32", "int8")
# Every pass at the length that measurements end with on a busy machine.
_FULL_RUNS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class _Times:
    """Seconds: to the file, and of measuring it as the target is shipped."""

    file: float
    measuring: float


def measure(
    *,
    network: str = "bignas-min",
    input_shape: Shape = (224, 224, 3),
    classes: int = 1000,
    repeats: int = 5,
    calibration: int = 8,
) -> list[Row]:
    """Times, ratios and likeness of the two files, for float32 and int8.

    Args:
        network: an architecture id or reference name.
        input_shape, classes: of the network.
        repeats: how often each way is taken, after one that does not count.
        calibration: examples that TensorFlow's int8 conversion looks at.
    """
    from hardware_profiles.quiet import quiet_stderr
    from hardware_profiles.target import load_target
    from searchspaces.catalog import named_network

    with quiet_stderr():
        import tensorflow  # noqa: F401 (loaded here so that no timing holds it)

    named = named_network(network, input_shape, classes)
    examples = np.random.default_rng(0).random((calibration, *input_shape), dtype=np.float32)
    target, rows = load_target("host-cpu"), []
    for precision in _PRECISIONS:
        with tempfile.TemporaryDirectory() as folder:
            direct, converted = Path(folder) / "direct.tflite", Path(folder) / "converted.tflite"
            ways: dict[str, Callable[[], float]] = {
                "direct": partial(_write, named, precision, direct),
                "tensorflow": partial(_convert, named, precision, examples, converted),
            }
            paths = {"direct": direct, "tensorflow": converted}
            for way in ways.values():
                way()
            timed = {name: _timer(way, target, paths[name]) for name, way in ways.items()}
            times = in_turns(timed, repeats)
            rows += _time_rows(precision, times["direct"], times["tensorflow"])
            rows += _likeness_rows(precision, direct, converted)
    return rows


def _write(named: NamedNetwork, precision: Precision, path: Path) -> float:
    """Seconds from the architecture to the file."""
    from hardware_profiles.lower import lower
    from hardware_profiles.write_tflite import write_tflite

    start = time.perf_counter()
    spec = named.space.network(named.architecture)
    path.write_bytes(write_tflite(lower(spec, precision=precision)))
    return time.perf_counter() - start


def _convert(named: NamedNetwork, precision: Precision, examples: Any, path: Path) -> float:
    """The same through Keras and TensorFlow's converter."""
    import keras

    from models.builder import build
    from models.testing import randomise_vectors
    from nas.export.convert import convert

    keras.backend.clear_session()
    start = time.perf_counter()
    model = build(named.space.network(named.architecture))
    building = time.perf_counter() - start
    # As a trained network has them: the converter leaves out biases that are all zero. Not counted.
    randomise_vectors(model, np.random.default_rng(0))
    start = time.perf_counter()
    data = convert(model, precision=precision, calibration=examples if precision == "int8" else None)
    path.write_bytes(data)
    return building + time.perf_counter() - start


def _timer(way: Callable[[], float], target: Target, path: Path) -> Callable[[], _Times]:
    def once() -> _Times:
        file = way()
        start = time.perf_counter()
        target.cost_of_file(path)
        return _Times(file=file, measuring=time.perf_counter() - start)

    return once


def _time_rows(precision: str, direct: list[_Times], converted: list[_Times]) -> list[Row]:
    files = [[each.file for each in times] for times in (direct, converted)]
    whole = [[each.file + each.measuring for each in times] for times in (direct, converted)]
    measuring = median_row("measuring", [each.measuring for each in direct], "s").value
    return [
        median_row(f"{precision}: to a file, written directly", files[0], "s"),
        median_row(f"{precision}: to a file, Keras and TensorFlow", files[1], "s"),
        ratio_row(f"{precision}: to a file, ratio", files[1], files[0], target=at_least(30, "×")),
        median_row(
            f"{precision}: to a latency, written directly", whole[0], "s", note=f"of which measuring {measuring:.2g} s"
        ),
        median_row(f"{precision}: to a latency, Keras and TensorFlow", whole[1], "s"),
        ratio_row(
            f"{precision}: to a latency, ratio",
            whole[1],
            whole[0],
            target=at_least(15, "×"),
            note="host-cpu as shipped; measuring is the same on both sides",
        ),
    ]


def _likeness_rows(precision: str, direct: Path, converted: Path) -> list[Row]:
    """Whether the two files are one network to a device (the same ops, the same time), however it is measured."""
    from hardware_profiles.measure import measure_latencies, measure_latency
    from hardware_profiles.op_graph import difference
    from hardware_profiles.read_tflite import read_tflite

    graphs = read_tflite(direct), read_tflite(converted)
    written, other = measure_latencies([direct, converted])
    full = measure_latency(direct, first_runs=_FULL_RUNS, runs=_FULL_RUNS)
    return [
        Row(
            name=f"{precision}: ops that differ between the files",
            value=_differing_ops(*graphs),
            unit="ops",
            target=at_most(0, "ops"),
            note=difference(*graphs) or f"all {len(graphs[0].ops)} equal, shape for shape",
        ),
        _apart_row(f"{precision}: latencies of the files apart", written, other),
        _apart_row(f"{precision}: latencies in short and in full passes apart", written, full),
    ]


def _apart_row(name: str, first: Measurement, second: Measurement) -> Row:
    latencies = f"{first.latency_ms:.3g} ms against {second.latency_ms:.3g} ms"
    return Row(
        name=name,
        value=100 * abs(first.latency_ms / second.latency_ms - 1),
        unit="%",
        ratio=True,
        target=at_most(5, "%"),
        note="; ".join(filter(None, [latencies, first.note or second.note])),
    )


def _differing_ops(first: OpGraph, second: OpGraph) -> int:
    pairs = zip(first.signature, second.signature, strict=False)
    return sum(left != right for left, right in pairs) + abs(len(first.ops) - len(second.ops))
