"""MoViNet streams on one core, ms a frame, and seconds to their files: ours, and tf-models-official's where it is.

That package needs another TensorFlow than ours, so it lives in an environment of its own, whose interpreter the
variable PARETONAS_PEER_PYTHON names; what it makes is kept in the folder PARETONAS_PEER_FOLDER, where that is given.
Both sides have the same weights, and are fed the same frames.

Why A0 in float32 comes no lower than 0.92 of the peer's time: of the peer's 1.99 ms (sum over ops, µs, ours behind the
stroke) 1437 / 1420 are convolutions and 240 / 223 the copies that join frames with their states and hand these on, by
the same kernels on the same numbers; hard swishes, products, sums, means and pools are 167 / 162. What can be saved are
reshapes (142 / 20) and what its delegate leaves out. States of single frames, handed on as they are, would save another
94, at the price of two to four states for each layer in the signature.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.movinet_stream.frames import FrameTimes, time_frames
from benchmarks.movinet_stream.weights import load_weights
from benchmarks.speed.row import Row, at_most, ratio_row
from searchspaces.errors import NoResultError

PEER_PYTHON, PEER_FOLDER = "PARETONAS_PEER_PYTHON", "PARETONAS_PEER_FOLDER"
# Beside tf-models-official: a tenth less time for a frame, a fifth of the time to the file, the same answers.
_FRAME, _FILE, _ANSWER = at_most(0.9, "×"), at_most(0.2, "×"), at_most(1e-4)
_FRAMES = 10
_CALIBRATION_CLIPS = 2


def measure(
    *,
    networks: Sequence[str] = ("a0", "a2"),
    precisions: Sequence[str] = ("float32", "int8"),
    passes: int = 20,
    runs: int = 30,
) -> list[Row]:
    """Times of a frame and of conversion, and how far the answers of equal weights are apart.

    Args:
        networks: of MoViNet's streams without positional encoding: a0, a1, a2.
        precisions: of their files.
        passes: turns of each file.
        runs: frames in a turn, of which the fastest counts.
    """
    python = os.environ.get(PEER_PYTHON)
    rows = []
    with tempfile.TemporaryDirectory() as made:
        for network in networks:
            folder = Path(os.environ.get(PEER_FOLDER, made)) / network
            rows += _measure_one(network, precisions, folder, python, passes, runs)
    if python is None:
        note = f"not installed: give {PEER_PYTHON} an interpreter that has it"
        rows.append(Row(name="beside tf-models-official", value=0, unit="networks", note=note))
    # What else the machine did: times of the network alone are minima and bear it, times to the file do not.
    rows.append(Row(name="load of the machine", value=os.getloadavg()[0], unit="", note="at the end, over a minute"))
    return rows


def _measure_one(
    network: str, precisions: Sequence[str], folder: Path, python: str | None, passes: int, runs: int
) -> list[Row]:
    from searchspaces.catalog import named_network

    spec = named_network(f"movinet-{network}-stream").spec.deployed
    shape = spec.input_shape[1:]
    peer = None if python is None else _peer(python, network, shape[0], precisions, folder)
    folder.mkdir(parents=True, exist_ok=True)
    ours, seconds = _convert(spec, precisions, folder, peer)
    rng = np.random.default_rng(0)
    frames = rng.random((_FRAMES, *shape), dtype=np.float32) if peer is None else peer["frames"]
    rows = []
    for precision in precisions:
        name = f"{network} {precision}"
        theirs = folder / f"{precision}.tflite"
        files = {"ours": ours[precision]} | ({"peer": theirs} if peer is not None and theirs.exists() else {})
        if peer is not None:
            rows += _answer_rows(name, files, peer)
        rows += _frame_rows(name, time_frames(files, frames, passes=passes, runs=runs))
        rows += _file_rows(name, seconds, precision, peer)
        gc.collect()
    return rows


def _peer(python: str, network: str, side: int, precisions: Sequence[str], folder: Path) -> dict[str, Any]:
    """What `peer.py` left in the folder; it is run where it has not been."""
    facts = folder / "facts.json"
    if not facts.exists():
        folder.mkdir(parents=True, exist_ok=True)
        script = Path(__file__).with_name("peer.py")
        command = [python, str(script), network, str(side), str(_FRAMES), str(folder), *precisions]
        # The script imports nothing of this project.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
            raise NoResultError(f"{python}: expected tf-models-official to build a MoViNet, got {last!r}; see peer.py.")
    found = json.loads(facts.read_text(encoding="utf-8"))
    with np.load(folder / "frames.npz") as held, np.load(folder / "weights.npz") as weights:
        return {**found, "frames": held["frames"], "logits": held["logits"], "weights": dict(weights)}


def _convert(
    spec: Any, precisions: Sequence[str], folder: Path, peer: dict[str, Any] | None
) -> tuple[dict[str, Path], dict[str, tuple[float, float]]]:
    """Our files, and what they took: seconds on the clock, and of all processors, by step."""
    import keras

    from models.builder import build
    from models.testing import randomise_vectors
    from nas.export.convert import convert

    keras.backend.clear_session()
    start = _now()
    model = build(spec)
    seconds = {"build": _since(start)}
    if peer is None:
        randomise_vectors(model, np.random.default_rng(0))
    else:
        load_weights(model, peer["weights"])
    shape = (_CALIBRATION_CLIPS, _FRAMES, *spec.input_shape[1:])
    clips = np.random.default_rng(1).random(shape, dtype=np.float32)
    files = {}
    for precision in precisions:
        start = _now()
        data = convert(model, precision=precision, calibration=clips if precision == "int8" else None)
        seconds[precision] = _since(start)
        files[precision] = folder / f"ours_{precision}.tflite"
        files[precision].write_bytes(data)
    return files, seconds


def _answer_rows(name: str, files: dict[str, Path], peer: dict[str, Any]) -> list[Row]:
    """The largest difference of a probability over the frames, from what the peer's Keras model says in float."""
    from nas.streaming.classifier import StreamingClassifier, softmax

    expected = np.stack([softmax(logits) for logits in peer["logits"]])
    apart = {}
    for side, path in files.items():
        stream = StreamingClassifier(path)
        found = np.stack([stream.update(frame) for frame in peer["frames"]])
        apart[side] = float(np.abs(found - expected).max())
    target = _ANSWER if name.endswith("float32") else None
    versions = ", ".join(f"{package} {version}" for package, version in peer["versions"].items())
    note = f"over {len(expected)} frames, {versions}, against the peer's Keras model; largest {expected.max():.2g}"
    note += f"; the peer's own file {apart['peer']:.2g}" if "peer" in apart else ""
    return [Row(name=f"{name}: probabilities apart", value=apart["ours"], unit="", target=target, note=note)]


def _frame_rows(name: str, times: dict[str, FrameTimes]) -> list[Row]:
    rows = []
    for what, field in (("network alone", "invoke_ms"), ("streaming loop", "update_ms")):
        series = {side: getattr(found, field) for side, found in times.items()}
        for side, values in series.items():
            label = f"{name}: {what}" + ("" if side == "ours" else ", peer")
            note = f"fastest of {len(values)} passes, range of their minima"
            row = Row(name=label, value=min(values), unit="ms", low=min(values), high=max(values), note=note)
            rows.append(row)
        if "peer" in series:
            target = _FRAME if field == "invoke_ms" else None
            rows.append(ratio_row(f"{name}: {what}, ratio", series["ours"], series["peer"], target=target))
    return rows


def _file_rows(
    name: str, seconds: dict[str, tuple[float, float]], precision: str, peer: dict[str, Any] | None
) -> list[Row]:
    """Seconds to the file, from the description (building, tracing and conversion) and of conversion alone."""
    wall, cpu = (seconds["build"][clock] + seconds[precision][clock] for clock in (0, 1))
    rows = [Row(name=f"{name}: to the file", value=wall, unit="s", note=f"{cpu:.3g} s of processor time")]
    facts = {} if peer is None else peer["precisions"].get(precision, {})
    if "error" in facts:
        rows.append(Row(name=f"{name}: to the file, peer", value=float("nan"), unit="s", note=facts["error"][:200]))
    elif peer is not None and facts:
        theirs, theirs_cpu = (peer["export_s"][clock] + facts["convert_s"][clock] for clock in (0, 1))
        note = f"{theirs_cpu:.3g} s of processor time; exporting {peer['export_s'][0]:.3g} s"
        rows.append(Row(name=f"{name}: to the file, peer", value=theirs, unit="s", note=note))
        converting = seconds[precision][1] / facts["convert_s"][1]
        note = f"of processor time; of conversion alone {converting:.2g}"
        row = Row(
            name=f"{name}: to the file, ratio", value=cpu / theirs_cpu, unit="×", ratio=True, target=_FILE, note=note
        )
        rows.append(row)
    return rows


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(start: tuple[float, float]) -> tuple[float, float]:
    """Seconds on the clock, and seconds of all processors together, which other work on the machine changes less."""
    wall, cpu = _now()
    return wall - start[0], cpu - start[1]
