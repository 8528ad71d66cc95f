"""`python -m benchmarks.motion`: a MoViNet learns synthetic motion, and its stream agrees with it frame by frame.

The clips are synthetic: real digit images moved by a rule; the motion is the label, and a single frame tells nothing.
A small causal MoViNet is trained on whole clips and exported as a stream. The questions are whether it passes 95 % on
clips it never saw, and whether the file, fed frame by frame, says after every frame what Keras says of the clip so far.
"""

from __future__ import annotations

import csv
import json
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.tasks import create
from hardware_profiles.fingerprint import host_fingerprint
from nas.cli import run
from nas.frameworks import load_keras
from nas.streaming.classifier import StreamingClassifier
from searchspaces.catalog import create_space
from searchspaces.space import Architecture, Value
from searchspaces.spec import NetworkSpec

RESULT = Path(__file__).parent / "results" / "motion.csv"
COLUMNS = ("at", "machine", "command", "network", "seed", "part", "quantity", "epoch", "value")
# Kernels of each block's layers; widths are the seed's largest, times a half.
_LAYERS = (("3x3x3",), ("5x3x3", "3x3x3"), ("5x3x3", "3x3x3"), ("3x3x3",), ("1x3x3",))
_WIDTHS = ((32, 96), (64, 192), (120, 384), (120, 384), (240, 768))
_COMPARED_CLIPS = 20


@click.command()
@click.option("--out", default=Path("runs/motion"), show_default=True, type=click.Path(path_type=Path))
@click.option("--examples", default=4900, show_default=True, type=click.IntRange(70), help="Clips in all.")
@click.option("--epochs", default=16, show_default=True, type=click.IntRange(1), help="Passes over the clips.")
@click.option("--precision", "precisions", multiple=True, default=("float32", "int8"), show_default=True)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--csv", "table", default=RESULT, show_default=True, type=click.Path(path_type=Path))
def main(out: Path, examples: int, epochs: int, precisions: tuple[str, ...], seed: int, table: Path) -> None:
    """Train, export and compare; the same command goes on after a stop."""
    architecture = small_movinet()
    task = ["--task", f"moving-digits,examples={examples}", "--seed", str(seed)]
    numbers = ["--epochs", str(epochs), "--batch-size", "32", "--learning-rate", "4e-3"]
    _nas("train", architecture.id, *task, *numbers, "--out", str(out))
    for precision in precisions:
        _nas("export", str(out), "--precision", precision, "--out", str(out / f"{precision}.tflite"))
    known = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()} {host_fingerprint('any').id}",
        "command": " ".join(["python -m benchmarks.motion", *sys.argv[1:]]),
        "network": architecture.id,
        "seed": seed,
    }
    table.parent.mkdir(parents=True, exist_ok=True)
    with table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        for row in figures(out, precisions, examples=examples, seed=seed):
            writer.writerow({**known, **row})
            if row["epoch"] == "":
                click.echo(f"{row['part']} {row['quantity']}: {row['value']}")


def small_movinet() -> Architecture:
    """A shallow stream for clips of 8 x 32 x 32 x 1."""
    space = create_space("movinet", (8, 32, 32, 1), 7, form="stream", stem_stride=2, width=0.5)
    values: dict[str, Value] = {"stem": 24, "head": 512, "hidden": 2048, "dropout": 0.2, "positional": "none"}
    for number, (kernels, (width, expanded)) in enumerate(zip(_LAYERS, _WIDTHS, strict=True), start=1):
        values.update({f"width_{number}": width, f"depth_{number}": len(kernels)})
        for layer, kernel in enumerate(kernels, start=1):
            values.update({f"kernel_{number}_{layer}": kernel, f"expanded_{number}_{layer}": expanded})
    return space.architecture(**values)


def figures(out: Path, precisions: Sequence[str], *, examples: int, seed: int) -> Iterator[dict[str, Any]]:
    """Every epoch of the training, accuracy on the test clips, and how far stream and clip are apart at any frame."""
    record = json.loads((out / "network.json").read_text(encoding="utf-8"))
    with np.load(out / "checkpoint" / "training.npz", allow_pickle=False) as saved:
        for quantity in ("accuracy", "val_accuracy"):
            for epoch, value in enumerate(saved[f"h{quantity}"], start=1):
                yield _row("training", quantity, value, epoch)
    spec = NetworkSpec.from_dict(record["spec"])
    clips = create("moving-digits", examples=examples, seed=seed).split("test").x[:_COMPARED_CLIPS]
    expected = prefix_answers(spec, out / "network.weights.h5", clips)
    for precision in precisions:
        card = json.loads((out / f"{precision}.json").read_text(encoding="utf-8"))
        accuracy: Mapping[str, Any] = card["metrics"]["test"]["accuracy"]
        yield from (_row("test", f"accuracy {name}", accuracy[name]["value"]) for name in ("keras", precision))
        stream = StreamingClassifier(out / f"{precision}.tflite")
        found = np.stack([list(stream.run(clip, stride=1)) for clip in clips])
        yield _row("test", f"largest error of a probability at any frame, {precision}", np.abs(found - expected).max())
        same = found.argmax(-1) == expected.argmax(-1)
        yield _row("test", f"share of frames with the same top class, {precision}", same.mean())


def prefix_answers(spec: NetworkSpec, weights: Path, clips: Any) -> Any:
    """What Keras says of each clip cut off after its first, second, … frame: probabilities [clips, frames, classes]."""
    from dataclasses import replace

    load_keras()
    from models.builder import build
    from models.training import with_probabilities

    trained = build(spec.without_softmax())
    trained.load_weights(weights)
    answers = []
    for frames in range(1, clips.shape[1] + 1):
        model = with_probabilities(replace(spec, input_shape=(frames, *spec.input_shape[1:])), trained)
        answers.append(np.asarray(model(clips[:, :frames].astype(np.float32))))
    return np.stack(answers, axis=1)


def _row(part: str, quantity: str, value: float, epoch: int | str = "") -> dict[str, Any]:
    return {"part": part, "quantity": quantity, "epoch": epoch, "value": f"{value:.6g}"}


def _nas(*arguments: str) -> None:
    status = run(arguments)
    if status:
        raise SystemExit(status)


if __name__ == "__main__":
    main()
