"""`python -m benchmarks.detection_int8`: a MobileDet learns to find digits, and its int8 file finds what it finds.

Real digits are scattered on canvases of 96 x 96. The network is MobileDet-EdgeTPU at half its width. A few thousand
canvases seen a few times each teach it more than a few hundred seen often: with 1,152 of them it knew each by heart
after ten epochs (mAP 0.35 on its own canvases, 0.03 on others). The question is whether a detector that has learnt
keeps its mean average precision in full int8, with raw heads and with the post-processing in the file, behind the gate
that every export passes. The training takes twelve minutes of processor time.
"""

from __future__ import annotations

import csv
import json
import platform
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import numpy as np

from hardware_profiles.fingerprint import host_fingerprint
from nas.cli import run
from searchspaces.catalog import create_space, named_network
from searchspaces.space import Architecture

RESULT = Path(__file__).parent / "results" / "detection_int8.csv"
COLUMNS = ("at", "machine", "command", "network", "seed", "part", "file", "quantity", "epoch", "value")
SIDE, CLASSES, WIDTH = 96, 10, 0.5
# The files that are made of the trained network, and how.
FILES = {
    "int8": ("--precision", "int8"),
    "int8-nms": ("--precision", "int8", "--nms"),
}


@click.command()
@click.option("--out", default=Path("runs/detection_int8"), show_default=True, type=click.Path(path_type=Path))
@click.option("--pictures", default=7000, show_default=True, type=click.IntRange(50), help="Canvases in all.")
@click.option("--epochs", default=7, show_default=True, type=click.IntRange(1), help="Passes over the canvases.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--csv", "table", default=RESULT, show_default=True, type=click.Path(path_type=Path))
def main(out: Path, pictures: int, epochs: int, seed: int, table: Path) -> None:
    """Train, export with raw heads and with post-processing, and write down every figure; again: it goes on."""
    architecture = half_width_edgetpu()
    task = ["--task", f"digits-canvas,pictures={pictures}", "--input", f"{SIDE}x{SIDE}x1", "--seed", str(seed)]
    numbers = ["--epochs", str(epochs), "--batch-size", "16", "--learning-rate", "5e-3"]
    _nas("train", architecture.id, *task, *numbers, "--out", str(out))
    for name, options in FILES.items():
        _nas("export", str(out), *options, "--out", str(out / f"{name}.tflite"))
    known = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()} {host_fingerprint('any').id}",
        "command": " ".join(["python -m benchmarks.detection_int8", *sys.argv[1:]]),
        "network": architecture.id,
        "seed": seed,
    }
    table.parent.mkdir(parents=True, exist_ok=True)
    with table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        for row in figures(out):
            writer.writerow({**known, **row})
            if row["epoch"] == "":
                click.echo(f"{row['part']}, {row['file']}, {row['quantity']}: {row['value']}")


def half_width_edgetpu() -> Architecture:
    """MobileDet-EdgeTPU with half of every width, for canvases of digits."""
    shape = (SIDE, SIDE, 1)
    published = named_network("mobiledet-edgetpu", shape, CLASSES)
    values = {
        name: value for name, value in published.space.values(published.architecture).items() if value is not None
    }
    space = create_space(published.space.name, shape, CLASSES, width=WIDTH)
    return space.architecture(**{**values, "width": WIDTH})


def figures(out: Path) -> Iterator[dict[str, Any]]:
    """Every epoch of the training, then what each file is worth on the test canvases and how far it agrees."""
    with np.load(out / "checkpoint" / "training.npz", allow_pickle=False) as saved:
        for quantity in ("loss", "val_map", "val_map_50"):
            for epoch, value in enumerate(saved[f"h{quantity}"], start=1):
                yield _row("training", "", quantity, value, epoch)
    for file in FILES:
        card = json.loads((out / f"{file}.json").read_text(encoding="utf-8"))
        precision, test = card["precision"], card["metrics"]["test"]
        yield _row("test", file, "pictures", test["pictures"])
        for quantity in ("map", "map_low", "map_high", "map_50"):
            yield _row("test", file, f"{quantity} of Keras", test[quantity]["keras"])
            yield _row("test", file, f"{quantity} of LiteRT", test[quantity][precision])
        parity = card["precisions"][precision]["parity"]
        yield _row("validation", file, "detections of Keras looked for", parity["compared"])
        for end in ("value", "low", "high"):
            yield _row("validation", file, f"found again, {end}", parity["agreement"][end])
        yield _row("all", file, "bytes", card["size_bytes"])


def _row(part: str, file: str, quantity: str, value: float, epoch: int | str = "") -> dict[str, Any]:
    return {"part": part, "file": file, "quantity": quantity, "epoch": epoch, "value": f"{value:.6g}"}


def _nas(*arguments: str) -> None:
    status = run(arguments)
    if status:
        raise SystemExit(status)


if __name__ == "__main__":
    main()
