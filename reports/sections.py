"""What the page shows, section by section: plain values for its template."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from nas.tables import TRIAL_COLUMNS, RunTables, Winner
from reports import figures
from reports.anytime import Comparison
from reports.choices import MOST_AXES, choice_texts, parallel_axes
from reports.diagram import draw_network
from reports.front_figure import MOST_ERROR_BARS, front_figure
from reports.fronts import UNKNOWN_MACHINE, Front, focus
from reports.outcomes import acceptances, answer, effort, refusals
from reports.parallel_figure import parallel_figure
from reports.promises import op_latencies, promises, result_rows, winner_name
from reports.words import axis_label, flatten, format_duration, format_percent, format_value, shorten

MOST_TABLE_ROWS = 1000
PIXELS_PER_AXIS = 78


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureBlock:
    """A figure on the page; narrower screens scroll it below `least_width` pixels."""

    id: str
    json: str
    height: int
    label: str
    least_width: int = 0


def page_sections(
    runs: Sequence[RunTables], fronts: Sequence[Front], comparisons: Sequence[Comparison], trials: pd.DataFrame
) -> dict[str, Any]:
    """The variables of `page.html.j2`."""
    promised = promises(runs)
    refused = refusals(runs)
    return {
        "title": _title(runs),
        "heading": "Progress" if all(len(front.objectives) == 1 for front in fronts) else "The front",
        "answer": answer(runs, fronts),
        "efforts": [(run.name, effort(run)) for run in runs],
        "fronts": [_front_section(index, front, runs, comparisons) for index, front in enumerate(fronts)],
        "warnings": [*_front_warnings(fronts), *_predictions(runs)],
        "comparisons": [_comparison_section(index, item) for index, item in enumerate(comparisons)],
        "parallels": _parallel_sections(fronts, runs),
        "refusals": figure_block("refusals", figures.refusal_figure(refused), "reasons") if len(refused) else None,
        "acceptances": [(item, format_percent(item.rate)) for item in acceptances(runs)],
        "promises": promised,
        "promise_figure": figure_block("promises", figures.promise_figure(promised), "measured against promised")
        if any(math.isfinite(row.ratio) for row in promised)
        else None,
        "ops": _op_section(runs),
        "winners": [_winner_section(runs, run, winner) for run in runs for winner in run.winners],
        "provenance": [(run.name, flatten(run.provenance), run.config) for run in runs],
        "trials": _trial_section(trials, runs),
    }


def _title(runs: Sequence[RunTables]) -> str:
    names = list(dict.fromkeys(shorten(run.name, 40) for run in runs))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _front_section(
    index: int, front: Front, runs: Sequence[RunTables], comparisons: Sequence[Comparison]
) -> dict[str, Any]:
    shown = replace(front, points=front.points.assign(choices=choice_texts(front, runs, limit=2 * MOST_ERROR_BARS)))
    first, *others = front.objectives
    blocks = [
        figure_block(f"front-{index}-{place}", front_figure(shown, other, first), f"{first} against {other}")
        for place, other in enumerate(others)
        if len(front.points)
    ]
    if not others:
        # One objective has no front: its progress stands in that place.
        blocks = [
            figure_block(f"progress-{index}-{place}", figures.progress_figure(item), f"{first} so far")
            for place, item in enumerate(comparisons)
            if set(item.runs) & set(front.runs)
        ]
    metrics = [objective.metric for objective in front.objectives]
    extra = [name for name in ("params", "macs") if name in front.members.columns and name not in metrics]
    members = [
        {
            "name": f"{row['run']} #{row['number']}" if len(front.runs) > 1 else f"#{row['number']}",
            "id": row["id"],
            "label": row["label"],
            "cells": [format_value(metric, float(row[metric])) for metric in (*metrics, *extra)],
        }
        for row in front.members.head(25).to_dict("records")
    ]
    return {
        "machine": front.fingerprint,
        "runs": front.runs,
        "objectives": [str(objective) for objective in front.objectives],
        "blocks": blocks,
        "heads": [axis_label(metric) for metric in (*metrics, *extra)],
        "members": members,
        "size": len(front.members),
        "outside": _outside(front) if others else 0,
        "infeasible": len(front.infeasible),
        "unplaced": int(front.infeasible.reindex(columns=metrics[1:]).isna().all(axis=1).sum()) if others else 0,
    }


def _outside(front: Front) -> int:
    views = [(o.metric, view) for o in front.objectives if (view := focus(front, o.metric)) is not None]
    inside = [front.points[metric].between(*view) for metric, view in views]
    return int((~pd.concat(inside, axis=1).all(axis=1)).sum()) if inside else 0


def _predictions(runs: Sequence[RunTables]) -> list[str]:
    """What is no measurement, once where several runs went by the same predictor."""
    told = [
        f"{metric} is predicted, not measured: {errors}." for run in runs for metric, errors in run.predicted.items()
    ]
    return list(dict.fromkeys(told))


def _front_warnings(fronts: Sequence[Front]) -> list[str]:
    warnings = []
    machines = list(dict.fromkeys(front.fingerprint for front in fronts if front.fingerprint))
    if len(machines) > 1:
        warnings.append(
            f"The costs come from {len(machines)} machines ({'; '.join(machines)}). Numbers of different machines "
            "do not compare, so each machine has a front of its own."
        )
    if UNKNOWN_MACHINE in machines:
        warnings.append("Some trials have a cost without the machine it was taken on; they stand apart.")
    if len({(front.runs, front.objectives) for front in fronts}) > 1:
        warnings.append("The runs differ in task, evaluator or objectives; those that differ have fronts of their own.")
    return warnings


def _comparison_section(index: int, comparison: Comparison) -> dict[str, Any]:
    first = comparison.objectives[0]
    # A single curve of a single objective is already shown in the place of the front.
    is_shown = len(comparison.objectives) == 1 and len(comparison.best) == 1
    best = figures.progress_figure(comparison)
    blocks = [] if is_shown else [figure_block(f"best-{index}", best, "best value so far")]
    if comparison.volume:
        blocks.append(figure_block(f"volume-{index}", figures.volume_figure(comparison), "hypervolume so far"))
    volumes = {curve.controller: curve for curve in comparison.volume}
    at = comparison.equal_trials
    rows = [
        (
            curve.controller,
            curve.runs,
            format_value(first.metric, curve.at(at)),
            format_percent(volumes[curve.controller].at(at)) if curve.controller in volumes else "–",
        )
        for curve in comparison.best
    ]
    return {
        "runs": comparison.runs,
        "machine": comparison.machine,
        "blocks": blocks,
        "rows": rows,
        "first": axis_label(first.metric),
        "equal_trials": at,
        "has_baseline": comparison.has_baseline,
        "has_rival": comparison.has_rival,
        "has_volume": bool(comparison.volume),
    }


def _parallel_sections(fronts: Sequence[Front], runs: Sequence[RunTables]) -> list[dict[str, Any]]:
    sections = []
    for index, front in enumerate(fronts):
        parallel = parallel_axes(front, runs)
        if parallel is None:
            continue
        width = 90 + PIXELS_PER_AXIS * len(parallel.axes)
        block = figure_block(f"parallel-{index}", parallel_figure(parallel), "parallel coordinates", width)
        choices, varying = parallel.choices
        sections.append(
            {
                "block": block,
                "runs": front.runs,
                "machine": front.fingerprint,
                "choices": choices,
                "varying": varying,
                "shown": min(varying, MOST_AXES),
                "lines": len(parallel.groups),
                "trials": parallel.trials,
            }
        )
    return sections


def _op_section(runs: Sequence[RunTables]) -> dict[str, Any] | None:
    table = op_latencies(runs)
    if len(table) == 0:
        return None
    fallbacks = table[table["fallback"]].groupby("winner")["latency_us"].sum()
    totals = table.groupby("winner", sort=False)["latency_us"].sum()
    return {
        "block": figure_block("ops", figures.op_figure(table), "time per kind of op"),
        "totals": [(winner, f"{total / 1000:.3g} ms") for winner, total in totals.items()],
        "fallbacks": [(winner, format_percent(time / totals[winner])) for winner, time in fallbacks.items()],
    }


def _winner_section(runs: Sequence[RunTables], run: RunTables, winner: Winner) -> dict[str, Any]:
    return {
        "name": winner_name(runs, run, winner),
        "id": winner.id,
        "label": winner.label,
        "diagram": draw_network(winner),
        "test": result_rows(winner),
    }


def _trial_section(trials: pd.DataFrame, runs: Sequence[RunTables]) -> dict[str, Any]:
    """Rows of the trial table: text to show and a key to sort by."""
    order = trials["status"].map({"front": 0, "tied": 1, "dominated": 2}).fillna(3)
    shown = trials.loc[order.sort_values(kind="stable").index[:MOST_TABLE_ROWS]]
    metrics = [name for name in trials.columns if name not in (*TRIAL_COLUMNS, "run", "front", "status", "label")]
    rows = []
    for row in shown.to_dict("records"):
        seconds = _finite(row["seconds"])
        # A row is its cells: the text, and the number to sort by where the text is not the order.
        cells = [(row["run"], None)] if len(runs) > 1 else []
        cells += [(row["number"], row["number"]), (row["state"].lower(), None), (row["status"], None)]
        cells += [(format_value(m, _finite(row[m])), _key(row[m])) for m in metrics]
        cells += [(format_duration(seconds), _key(seconds)), (_text(row["reason"]), None)]
        rows.append({"cells": cells, "id": row["id"], "status": row["status"]})
    heads = (["run"] if len(runs) > 1 else []) + ["trial", "state", "standing"]
    heads += [axis_label(metric) for metric in metrics] + ["time", "reason"]
    return {"heads": heads, "rows": rows, "total": len(trials)}


def figure_block(name: str, figure: go.Figure, label: str, least_width: int = 0) -> FigureBlock:
    """A figure under a name that is unique on its page."""
    return FigureBlock(
        id=f"plot-{name}",
        json=figure.to_json(),
        height=int(figure.layout.height),
        label=label,
        least_width=least_width,
    )


def _finite(value: Any) -> float:
    return math.nan if value is None or pd.isna(value) else float(value)


def _key(value: Any) -> float | None:
    number = _finite(value)
    return number if math.isfinite(number) else None


def _text(reason: Any) -> str:
    return "" if reason is None or pd.isna(reason) else shorten(reason)
