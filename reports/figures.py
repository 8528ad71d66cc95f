"""Figures about runs and winners: progress, refusals, promises, time per op (plotly)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from reports.anytime import BASELINE, Comparison, Curve
from reports.canvas import blank_figure, error_bars, percent_format, text, wrapped
from reports.palette import GREY, STATUS, faded, series_colour
from reports.promises import Promise
from reports.words import axis_label, metric_label


def progress_figure(comparison: Comparison) -> go.Figure:
    """The best value of the first objective so far."""
    objective = comparison.objectives[0]
    figure = _curves(comparison, comparison.best, f"best {axis_label(objective.metric)}")
    figure.update_yaxes(tickformat=percent_format(objective.metric))
    return figure


def volume_figure(comparison: Comparison) -> go.Figure:
    """The hypervolume so far."""
    figure = _curves(comparison, comparison.volume, "hypervolume (share of the box)")
    figure.update_yaxes(tickformat=".0%")
    return figure


def refusal_figure(table: pd.DataFrame) -> go.Figure:
    """Reasons of infeasible and failed trials, a bar each."""
    order = table.groupby("reason")["trials"].sum().sort_values(kind="stable").index
    figure = blank_figure("trials", "", height=120 + 40 * len(order))
    runs = list(dict.fromkeys(table["run"]))
    for (run, state), rows in table.groupby(["run", "state"], sort=False):
        colour = series_colour(runs.index(run))
        figure.add_trace(
            go.Bar(
                x=rows["trials"],
                y=[wrapped(reason) for reason in rows["reason"]],
                orientation="h",
                name=f"{text(run)} · {str(state).lower()}" if len(runs) > 1 else str(state).lower(),
                marker={"color": colour, "pattern": {"shape": "/" if state == "FAILED" else ""}},
                hovertemplate="%{y}: %{x}<extra>%{fullData.name}</extra>",
            )
        )
    figure.update_layout(barmode="stack", bargap=0.35)
    figure.update_yaxes(categoryorder="array", categoryarray=[wrapped(reason) for reason in order])
    return figure


def promise_figure(rows: Sequence[Promise]) -> go.Figure:
    """Measured over promised with both intervals: 1 is as promised."""
    shown = [row for row in rows if np.isfinite(row.ratio)][::-1]
    names = [wrapped(f"{row.winner}: {metric_label(row.metric)}, {row.precision}") for row in shown]
    figure = blank_figure("measured ÷ promised", "", height=120 + 44 * len(shown))
    figure.add_trace(
        go.Bar(
            x=[row.promised_high - row.promised_low for row in shown],
            base=[row.promised_low for row in shown],
            y=names,
            orientation="h",
            name="promised interval",
            marker={"color": faded(STATUS["dominated"], 0.45)},
            hoverinfo="skip",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=[row.ratio for row in shown],
            y=names,
            mode="markers",
            name="measured",
            marker={"color": STATUS["front"], "size": 9},
            error_x=error_bars(
                np.array([row.ratio for row in shown]),
                np.array([row.ratio_low for row in shown]),
                np.array([row.ratio_high for row in shown]),
                STATUS["front"],
            ),
            text=[f"{row.measured} measured, {row.promised} promised: {row.verdict}" for row in shown],
            hovertemplate="%{text}<extra></extra>",
        )
    )
    figure.add_vline(x=1, line={"color": GREY, "width": 1, "dash": "dot"})
    figure.update_layout(bargap=0.5)
    return figure


def op_figure(table: pd.DataFrame) -> go.Figure:
    """Time per kind of op, a bar per winner; CPU fallbacks in rows of their own, hatched."""
    names = [
        wrapped(kind + (" (CPU fallback)" if fallback else ""), 20)
        for kind, fallback in zip(table["kind"], table["fallback"], strict=True)
    ]
    table = table.assign(name=names)
    order = table.groupby("name")["latency_us"].sum().sort_values(kind="stable").index
    winners = list(dict.fromkeys(table["winner"]))
    figure = blank_figure("time (µs)", "", height=120 + len(order) * (16 + 14 * len(winners)))
    # The first bar of a group is drawn lowest, so the first winner goes last.
    for index, winner in reversed(list(enumerate(winners))):
        rows = table[table["winner"] == winner]
        figure.add_trace(
            go.Bar(
                x=rows["latency_us"],
                y=rows["name"],
                orientation="h",
                name=text(winner),
                marker={
                    "color": series_colour(index),
                    "pattern": {"shape": ["/" if fallback else "" for fallback in rows["fallback"]]},
                },
                customdata=rows["ops"],
                hovertemplate="%{y}: %{x:.1f} µs in %{customdata} ops<extra>%{fullData.name}</extra>",
            )
        )
    figure.update_layout(barmode="group", bargap=0.3, legend={"traceorder": "reversed"})
    figure.update_yaxes(categoryorder="array", categoryarray=list(order))
    return figure


def _curves(comparison: Comparison, curves: Sequence[Curve], y_title: str) -> go.Figure:
    figure = curve_figure(curves, "trained trials", y_title)
    if len(curves) > 1:
        figure.add_vline(x=comparison.equal_trials, line={"color": GREY, "width": 1, "dash": "dot"})
    return figure


def curve_figure(
    curves: Sequence[Curve],
    x_title: str,
    y_title: str,
    *,
    styles: Sequence[tuple[str, str]] | None = None,
    height: int = 360,
) -> go.Figure:
    """Steps of a median, with a band where there are several runs; random search is grey and dashed.

    styles: colour and dash of every curve; by default a colour each.
    """
    figure = blank_figure(x_title, y_title, height=height)
    for index, curve in enumerate(curves):
        own = (GREY, "dash") if curve.controller == BASELINE else (series_colour(index), "solid")
        colour, dash = styles[index] if styles is not None else own
        name = text(curve.controller) + (f" ({curve.runs} runs, median)" if curve.runs > 1 else "")
        if curve.runs > 1:
            for bound, fill in ((curve.low, None), (curve.high, "tonexty")):
                figure.add_trace(
                    go.Scatter(
                        x=curve.trained,
                        y=bound,
                        mode="lines",
                        line={"shape": "hv", "width": 0, "color": colour},
                        fill=fill,
                        fillcolor=faded(colour, 0.18),
                        hoverinfo="skip",
                        showlegend=False,
                    )
                )
        figure.add_trace(
            go.Scatter(
                x=curve.trained,
                y=curve.median,
                # A single value makes no line.
                mode="lines" if len(curve.trained) > 1 else "markers",
                name=name,
                line={
                    "shape": "hv",
                    "color": colour,
                    "width": 2.2,
                    "dash": dash,
                },
                hovertemplate="after %{x} trials: %{y}<extra>%{fullData.name}</extra>",
            )
        )
    return figure
