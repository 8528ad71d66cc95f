"""What parallel coordinates show: the choices that matter, and the objectives they lead to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nas.tables import RunTables
from reports.fronts import Front, focus
from reports.words import axis_label, format_value, shorten

MOST_AXES = 10
MOST_LINES = 400
TICKS_OF_A_VALUE_AXIS = 5
# Lines through one level of a choice are spread over this share of the gap between levels.
SPREAD = 0.5
GROUPS = ("lowest third", "middle third", "best third", "front")


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One vertical axis: ticks at heights between 0 and 1."""

    title: str
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parallel:
    """Lines over axes.

    Attributes:
        axes: choices in the space's order, then the objectives.
        heights: [lines, axes], each between 0 and 1.
        groups: of each line, one of `GROUPS`.
        texts: of each line, what a hover shows.
        choices: how many choices the space has, and how many of them vary.
        trials: how many trials there are; more than lines where the lines are a sample.
    """

    axes: tuple[Axis, ...]
    heights: NDArray[np.float64]
    groups: tuple[str, ...]
    texts: tuple[str, ...]
    choices: tuple[int, int]
    trials: int


def parallel_axes(front: Front, runs: Sequence[RunTables]) -> Parallel | None:
    """The parallel coordinates of a front; None where no choice varies.

    Of many choices the `MOST_AXES` are kept that explain most of the main objective (correlation ratio η²). Of many
    trials the front is kept whole, and of the others every n-th by rank.
    """
    tables = [run.choices.assign(run=run.name) for run in runs if run.name in front.runs and len(run.choices)]
    if not tables or len(front.points) == 0:
        return None
    merged = front.points.merge(pd.concat(tables, ignore_index=True), on=["run", "number"], how="inner")
    names = [str(name) for name in dict.fromkeys(c for table in tables for c in table.columns)]
    names = [name for name in names if name not in ("run", "number") and name in merged.columns]
    if len(merged) == 0 or not names:
        return None
    texts = merged[names].astype(object).where(merged[names].notna(), "–").astype(str)
    objective = front.objectives[0]
    goodness = merged[objective.metric].rank(ascending=objective.direction == "maximize", pct=True)
    varying = [name for name in names if texts[name].nunique() > 1]
    if not varying:
        return None
    weights = {name: _explained(texts[name], merged[objective.metric]) for name in varying}
    strongest = sorted(varying, key=lambda name: -weights[name])[:MOST_AXES]
    kept = [name for name in varying if name in strongest]
    rows = _sample(merged["status"].to_numpy(), goodness.to_numpy(dtype=float))
    chosen = [_choice_axis(name, texts[name], goodness) for name in kept]
    valued = [_value_axis(item.metric, merged[item.metric], focus(front, item.metric)) for item in front.objectives]
    heights = np.stack([height for _, height in [*chosen, *valued]], axis=1)
    third = np.clip(np.ceil(goodness.to_numpy(dtype=float) * 3) - 1, 0, 2).astype(int)
    groups = ["front" if s == "front" else GROUPS[t] for s, t in zip(merged["status"], third, strict=True)]
    hover = _line_texts(merged, front)
    return Parallel(
        axes=tuple(axis for axis, _ in [*chosen, *valued]),
        heights=heights[rows],
        groups=tuple(groups[row] for row in rows),
        texts=tuple(hover[row] for row in rows),
        choices=(len(names), len(varying)),
        trials=len(merged),
    )


def choice_texts(front: Front, runs: Sequence[RunTables], limit: int) -> pd.Series:
    """Per point of a front its choices as lines of `name value`; empty for the dominated beyond `limit` points."""
    texts: dict[tuple[str, int], str] = {}
    for run in runs:
        names = [str(name) for name in run.choices.columns if name != "number"]
        for row in run.choices.to_dict("records"):
            texts[run.name, int(row["number"])] = _wrapped(f"{name} {row[name]}" for name in names)
    shown = (front.points["status"] != "dominated") | (len(front.points) <= limit)
    keys = zip(front.points["run"], front.points["number"], shown, strict=True)
    listed = [texts.get((run, int(number)), "") if wanted else "" for run, number, wanted in keys]
    return pd.Series(listed, index=front.points.index, dtype=object)


def _wrapped(parts: Iterable[str], width: int = 58) -> str:
    """Parts joined with commas, broken into lines of about `width` characters."""
    lines = [""]
    for part in parts:
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += (", " if lines[-1] else "") + shorten(part, width)
    return "\n".join(lines)


def _line_texts(merged: pd.DataFrame, front: Front) -> list[str]:
    metrics = [objective.metric for objective in front.objectives]
    return [
        "\n".join(
            [
                f"{row['run']} #{row['number']}",
                *(f"{axis_label(metric)}: {format_value(metric, row[metric])}" for metric in metrics),
                shorten(row["id"], 60),
            ]
        )
        for row in merged.to_dict("records")
    ]


def _explained(levels: pd.Series, values: pd.Series) -> float:
    """Share of the variance of `values` that lies between levels (correlation ratio η²)."""
    total = float(((values - values.mean()) ** 2).sum())
    between = float(((values.groupby(levels).transform("mean") - values.mean()) ** 2).sum())
    return between / total if total > 0 else 0.0


def _choice_axis(name: str, levels: pd.Series, goodness: pd.Series) -> tuple[Axis, NDArray[np.float64]]:
    order = sorted(levels.unique(), key=_numeric_first)
    gap = 1 / max(len(order) - 1, 1)
    position = {level: index * gap for index, level in enumerate(order)}
    # Within a level better trials pass higher, so that a bundle shows what it leads to.
    inside = goodness.groupby(levels).rank(pct=True) - 0.5
    heights = levels.map(position).to_numpy(dtype=float) + SPREAD * gap * inside.to_numpy(dtype=float)
    edge = SPREAD * gap / 2
    scaled = (heights + edge) / (1 + 2 * edge)
    shown = order if len(order) <= 12 else order[:: -(-len(order) // 12)]
    ticks = tuple(((position[level] + edge) / (1 + 2 * edge), shorten(level, 14)) for level in shown)
    return Axis(title=shorten(name, 28), ticks=ticks), scaled


def _value_axis(metric: str, values: pd.Series, view: tuple[float, float] | None) -> tuple[Axis, NDArray[np.float64]]:
    """Heights by value; what lies outside of the view stands on its edge, whose tick says so."""
    least, most = float(values.min()), float(values.max())
    low, high = (max(least, view[0]), min(most, view[1])) if view else (least, most)
    span = high - low if high > low else 1.0
    places = np.linspace(0, 1, TICKS_OF_A_VALUE_AXIS) if high > low else np.array([0.0])
    labels = [format_value(metric, low + float(place) * span) for place in places]
    if low > least:
        labels[0] = f"≤ {labels[0]}"
    if high < most:
        labels[-1] = f"≥ {labels[-1]}"
    ticks = tuple((float(place), label) for place, label in zip(places, labels, strict=True))
    heights = ((values - low) / span).clip(0, 1).to_numpy(dtype=float)
    return Axis(title=axis_label(metric), ticks=ticks), heights


def _numeric_first(level: str) -> tuple[int, float, str]:
    try:
        return (0, float(level), level)
    except ValueError:
        return (1, 0.0, level)


def _sample(status: NDArray[np.object_], goodness: NDArray[np.float64]) -> list[int]:
    """Rows to draw, the worst first so that the best lie on top and the front over all."""
    order = np.argsort(goodness, kind="stable")
    on_front = status[order] == "front"
    others = order[~on_front]
    room = max(MOST_LINES - int(on_front.sum()), 0)
    if len(others) > room:
        others = others[np.linspace(0, len(others) - 1, room).round().astype(int)] if room else others[:0]
    return [int(row) for row in (*others, *order[on_front])]
