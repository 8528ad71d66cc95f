"""`make demo`: plan, search, report and export on digits, from nothing to a checked int8 file."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

import click

from nas.cli import run
from nas.cli.plan import make_plan
from nas.config import load_config

_LATENCY = "latency_ms@host-cpu"
_LEAST_ACCURACY = 0.97


@click.command()
@click.option("--out", default=Path("runs/demo"), show_default=True, type=click.Path(path_type=Path))
@click.option("--trials", default=24, show_default=True, type=click.IntRange(2), help="Trained networks.")
@click.option("--epochs", default=35, show_default=True, type=click.IntRange(1), help="Of the winner's training.")
def demo(out: Path, trials: int, epochs: int) -> None:
    """Search BigNAS on digits under hard limits, write the report, export the best network in int8."""
    start, baseline = time.monotonic(), out.with_name(f"{out.name}-random")
    with as_file(files("benchmarks") / "demo.yaml") as config:
        limit = _latency_limit(config)
        limits = ["--set", f'constraints=["params <= 4e5", "{_LATENCY} <= {limit:.4g}"]']
        _step(f"search: at most 400,000 parameters and {limit:.4g} ms on this machine")
        _nas("search", str(config), "--out", str(out), "--set", f"budget.trials={trials}", *limits)
        _step("random search under the same limits, half as long: the report compares the two at equal numbers")
        half = ["--set", f"budget.trials={trials // 2}", "--set", "controller=random"]
        _nas("search", str(config), "--out", str(baseline), *half, *limits)
    _step("report")
    _nas("report", str(out), str(baseline))
    _step("train the best network longer and export it")
    file = out / "export" / "digits_int8.tflite"
    _nas("export", str(out), "--precision", "int8", "--epochs", str(epochs), "--out", str(file))
    card = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    _step(f"done in {time.monotonic() - start:.0f} s")
    for precision, found in card["metrics"]["test"]["accuracy"].items():
        verdict = "above" if found["value"] > _LEAST_ACCURACY else "NOT above"
        interval = f"95 % interval {found['low']:.1%} to {found['high']:.1%}"
        click.echo(f"test accuracy {precision}: {found['value']:.2%}, {interval} ({verdict} {_LEAST_ACCURACY:.0%})")
    click.echo(f"file:   {file}\nreport: {out / 'report' / 'index.html'}")


def _latency_limit(config: Path) -> float:
    """A limit that most, not all, of the space keeps here; milliseconds mean nothing across machines."""
    _step("plan: what the space holds, measured on this machine")
    costs = make_plan(load_config(config), samples=24)["costs"][_LATENCY]
    return float((costs["median"] + costs["max"]) / 2)


def _nas(*arguments: str) -> None:
    status = run(arguments)
    if status:
        raise SystemExit(status)


def _step(text: str) -> None:
    click.secho(f"\n── {text}", bold=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of `python -m benchmarks.demo`."""
    demo.main(args=None if arguments is None else list(arguments))


if __name__ == "__main__":
    main()
