"""`python -m benchmarks.detection_bccd FOLDER`: a MobileDet trained from scratch on 205 pictures of blood cells.

BCCD (github.com/Shenggan/BCCD_Dataset, MIT): 364 pictures, 4,888 boxes of red and white cells and platelets, in Pascal
VOC's form with lists for training, validation and test. The question is whether the whole chain learns: mean average
precision of the trained network beside that of the same network untrained, with the curve over the epochs. Thirty
epochs at 160 pixels take about eleven minutes of processor time.
"""

from __future__ import annotations

import csv
import platform
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from benchmarks.tasks.detection.voc import voc
from models.train_config import TrainConfig
from nas.detection_task import DetectionTask
from nas.evaluators.train import prepared
from nas.frameworks import load_keras
from searchspaces.catalog import named_network
from searchspaces.spec import NetworkSpec

RESULT = Path(__file__).parent / "results" / "detection_bccd.csv"
COLUMNS = ("at", "machine", "command", "network", "input", "seed", "state", "epoch", "part", "quantity", "value")
_METRICS = ("map", "map_50", "map_75")


@click.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option("--network", default="mobiledet-cpu", show_default=True, help="A detector's reference name or id.")
@click.option("--side", default=160, show_default=True, type=click.IntRange(64), help="Of the square input, in pixels.")
@click.option("--epochs", default=30, show_default=True, type=click.IntRange(1), help="Passes over the pictures.")
@click.option("--learning-rate", default=3e-3, show_default=True, help="The highest of its schedule.")
@click.option("--crop", is_flag=True, help="Cut out parts at random, as SSD does: slower at first.")
@click.option("--seed", "seeds", multiple=True, default=(0,), show_default=True, type=int, help="May be repeated.")
@click.option("--csv", "out", default=RESULT, show_default=True, type=click.Path(path_type=Path))
def main(
    data: Path,
    network: str,
    side: int,
    epochs: int,
    learning_rate: float,
    crop: bool,
    seeds: tuple[int, ...],
    out: Path,
) -> None:
    """Train NETWORK on the pictures in DATA (a folder or a .tar) once a seed, and write every figure to a CSV file."""
    task = voc(path=data, input_shape=(side, side, 3), repair=True, crop=crop)
    spec = prepared(named_network(network, task.input_shape, len(task.class_names)).spec, task)
    config = TrainConfig(epochs=epochs, batch_size=8, learning_rate=learning_rate)
    command = shlex.join(["python", "-m", "benchmarks.detection_bccd", *(Path(each).name for each in sys.argv[1:])])
    known = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": platform.machine(),
        "command": command,
        "network": network,
        "input": f"{side}x{side}x3",
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        for seed in seeds:
            for row in figures(spec, task, config, seed):
                writer.writerow({**known, "seed": seed, **row})
                stream.flush()
    click.echo(f"written to {out}")


def figures(spec: NetworkSpec, task: DetectionTask, config: TrainConfig, seed: int) -> Iterator[dict[str, Any]]:
    """Everything found for one seed: the untrained network, each epoch, and the best epoch's network on both parts."""
    load_keras()
    from models.detection.training import compiled, train_detector

    training, validation = task.split("train"), task.split("validation")
    start = time.monotonic()
    fresh = compiled(spec, config, rows=len(training), seed=seed)
    untrained = list(_worth(fresh, spec, task, state="untrained", epoch=0))
    yield from untrained

    def tell(epoch: int, found: Mapping[str, float]) -> bool:
        shown = ", ".join(f"{name} {value:.3f}" for name, value in found.items())
        click.echo(f"seed {seed}, epoch {epoch}, {time.monotonic() - start:.0f} s: {shown}")
        return True

    result = train_detector(
        spec,
        (training.x, training.annotations),
        (validation.x, validation.annotations),
        config,
        classes=len(task.class_names),
        seed=seed,
        flip=task.augmentation.flip,
        crop=task.augmentation.crop,
        on_epoch=tell,
    )
    for name, values in result.history.items():
        part, quantity = ("validation", name[4:]) if name.startswith("val_") else ("train", name)
        for epoch, value in enumerate(values, start=1):
            yield _row("training", epoch, part, quantity, value)
    best = result.history["val_map"].index(result.metrics["map"]) + 1
    trained = list(_worth(result.model, spec, task, state="trained", epoch=best))
    yield from trained
    yield _row("trained", config.epochs, "train", "seconds", result.seconds)
    for one, two in zip(untrained, trained, strict=True):
        click.echo(f"{one['part']} {one['quantity']}: {one['value']} untrained, {two['value']} trained")


def _worth(model: Any, spec: NetworkSpec, task: DetectionTask, *, state: str, epoch: int) -> Iterator[dict[str, Any]]:
    """Mean average precision on validation and test, and class by class on test."""
    from models.detection.heads import detector_anchors
    from models.detection.mean_ap import mean_ap
    from models.detection.training import find

    height, width = spec.input_shape[:2]
    anchors = detector_anchors(spec)
    for part in ("validation", "test"):
        split = task.split(part)
        worth = mean_ap(split.annotations, find(model, split.x, anchors), (height, width))
        for name in _METRICS:
            yield _row(state, epoch, part, name, getattr(worth, name))
        for label, value in worth.per_class.items():
            yield _row(state, epoch, part, f"map of {task.class_names[label]}", value)


def _row(state: str, epoch: int, part: str, quantity: str, value: float) -> dict[str, Any]:
    return {"state": state, "epoch": epoch, "part": part, "quantity": quantity, "value": f"{value:.6g}"}


if __name__ == "__main__":
    main()
