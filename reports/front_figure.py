"""The figure of a front: two objectives, their intervals, and what was refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from nas.pareto import Objective
from reports.canvas import blank_figure, error_bars, percent_format, text
from reports.fronts import Front, focus
from reports.palette import GREY, STATUS, SYMBOLS, faded
from reports.words import axis_label, format_interval, format_value, metric_label, shorten

MOST_ERROR_BARS = 250
MOST_REFUSED = 600
INFEASIBLE_BAND = 0.05
# Refused trials may widen the first view by this share of the points' range, on either side.
REFUSED_REACH = 0.3


def front_figure(front: Front, x: Objective, y: Objective) -> go.Figure:
    """Two objectives of a front against each other, with intervals; refused trials as ticks along the edge."""
    figure = blank_figure(axis_label(x.metric), axis_label(y.metric), height=470)
    _add_staircase(figure, front, x, y)
    for status in ("dominated", "tied", "front"):
        for index, run in enumerate(front.runs):
            points = front.points
            rows = points[(points["status"] == status) & (points["run"] == run)]
            if len(rows):
                figure.add_trace(_points(rows, front, x, y, status, SYMBOLS[index % len(SYMBOLS)]))
    _add_refused(figure, front, x, y)
    for row in front.points[front.points["label"] != ""].to_dict("records"):
        figure.add_annotation(
            x=row[x.metric], y=row[y.metric], text=row["label"], ax=0, ay=-26, arrowwidth=1, arrowcolor=GREY
        )
    # The second vertical axis belongs to the refused ones and keeps its own range.
    figure.update_layout(
        xaxis={"tickformat": percent_format(x.metric), "range": _x_view(front, x.metric)},
        yaxis={"tickformat": percent_format(y.metric), "range": focus(front, y.metric)},
    )
    return figure


def _x_view(front: Front, metric: str) -> tuple[float, float] | None:
    """The first view: the points, and of the refused ones those that lie near."""
    points, refused = front.points[metric], front.infeasible[metric].dropna()
    low, high = focus(front, metric) or (float(points.min()), float(points.max()))
    reach = REFUSED_REACH * (high - low)
    if len(refused) == 0 or reach == 0:
        return focus(front, metric)
    margin = reach / 6
    left = max(min(low, float(refused.min())), low - reach)
    right = min(max(high, float(refused.max())), high + reach)
    return left - margin, right + margin


def _points(rows: pd.DataFrame, front: Front, x: Objective, y: Objective, status: str, symbol: str) -> go.Scatter:
    colour = STATUS[status]
    words = {"front": "on the front", "tied": "tied with the front", "dominated": "dominated"}[status]
    run = str(rows["run"].iloc[0])
    with_bars = status == "front" or len(front.points) <= MOST_ERROR_BARS
    bars: dict[str, Any] = {}
    if with_bars:
        for side, metric in (("error_x", x.metric), ("error_y", y.metric)):
            low, high = rows[f"low:{metric}"].to_numpy(float), rows[f"high:{metric}"].to_numpy(float)
            strength = 0.55 if status == "front" else 0.25
            bars[side] = error_bars(rows[metric].to_numpy(float), low, high, faded(colour, strength))
    return go.Scatter(
        x=rows[x.metric],
        y=rows[y.metric],
        mode="markers",
        name=words if len(front.runs) == 1 else f"{words} · {text(run)}",
        legendrank={"front": 1, "tied": 2, "dominated": 3}[status],
        marker={
            "color": faded(colour, 0.12) if status == "tied" else faded(colour, 0.95 if with_bars else 0.6),
            "symbol": symbol,
            "size": {"front": 10, "tied": 8, "dominated": 6}[status],
            "line": {"color": colour, "width": 1.5 if status == "tied" else 0},
        },
        text=[_hover(row, front) for row in rows.to_dict("records")],
        hovertemplate="%{text}<extra></extra>",
        **bars,
    )


def _hover(row: dict[str, Any], front: Front) -> str:
    metrics = [objective.metric for objective in front.objectives]
    lines = [f"<b>{text(row['run'])} #{row['number']}</b>"]
    for metric in metrics:
        interval = format_interval(metric, row[f"low:{metric}"], row[f"high:{metric}"])
        line = f"{metric_label(metric)}: {format_value(metric, row[metric])}"
        lines.append(text(line + (f" ({interval})" if interval else "")))
    others = [name for name in ("params", "macs") if name in row and name not in metrics]
    lines += [f"{metric_label(name)}: {format_value(name, float(row[name]))}" for name in others]
    if row["tied_with"]:
        lines.append(f"cannot be told apart from {text(row['tied_with'])}")
    if row.get("choices"):
        lines += [text(part) for part in str(row["choices"]).split("\n")]
    identifier = shorten(row["id"])
    lines += [text(identifier[start : start + 56]) for start in range(0, len(identifier), 56)]
    return "<br>".join(lines)


def _add_staircase(figure: go.Figure, front: Front, x: Objective, y: Objective) -> None:
    """The border of what the front dominates; only two objectives have one."""
    if len(front.objectives) != 2:
        return
    rows = front.points[front.points["status"] == "front"].sort_values(x.metric, kind="stable")
    # With x minimised (maximised) a point holds to the right (left) of itself.
    shape = "hv" if x.direction == "minimize" else "vh"
    figure.add_trace(
        go.Scatter(
            x=rows[x.metric],
            y=rows[y.metric],
            mode="lines",
            line={"shape": shape, "color": STATUS["front"], "width": 1.5},
            hoverinfo="skip",
            showlegend=False,
        )
    )


def _add_refused(figure: go.Figure, front: Front, x: Objective, y: Objective) -> None:
    """Refused trials: crosses where both values are known, else ticks along the edge at their x value."""
    refused = front.infeasible
    refused = refused[refused[x.metric].notna()]
    if len(refused) > MOST_REFUSED:
        refused = refused.iloc[np.linspace(0, len(refused) - 1, MOST_REFUSED).round().astype(int)]
    if len(refused) == 0:
        return
    placed = refused[y.metric].notna()
    for rows, symbol, axis in ((refused[placed], "x-thin", "y"), (refused[~placed], "line-ns", "y2")):
        if len(rows) == 0:
            continue
        figure.add_trace(
            go.Scatter(
                x=rows[x.metric],
                y=rows[y.metric] if axis == "y" else np.zeros(len(rows)),
                yaxis=axis,
                mode="markers",
                name="infeasible",
                legendrank=4,
                legendgroup="infeasible",
                marker={
                    "symbol": symbol,
                    "size": 9,
                    "line": {"color": faded(STATUS["infeasible"], 0.7), "width": 1.2},
                },
                text=[
                    f"<b>{text(row['run'])} #{row['number']}</b><br>infeasible: {text(row['reason'])}"
                    f"<br>{text(shorten(row['id'], 60))}"
                    for row in rows.to_dict("records")
                ],
                hovertemplate="%{text}<extra></extra>",
            )
        )
    if (~placed).any():
        figure.update_layout(
            yaxis={"domain": [INFEASIBLE_BAND + 0.02, 1]},
            yaxis2={"domain": [0, INFEASIBLE_BAND], "visible": False, "range": [-1, 1], "fixedrange": True},
            xaxis={"anchor": "free", "position": 0},
        )
