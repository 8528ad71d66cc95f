"""Figures of a comparison: curves over trials, and where every seed ended (plotly)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from nas.tables import ComparisonTables
from reports.anytime import BASELINE, Curve
from reports.canvas import blank_figure, percent_format, wrapped
from reports.figures import curve_figure
from reports.palette import GREY, SERIES
from reports.sections import FigureBlock, figure_block
from reports.words import axis_label

# Grey is that of random search.
COLOURS = tuple(colour for colour in SERIES if colour != GREY)


def measures(tables: ComparisonTables) -> tuple[str, ...]:
    """What is drawn, the measure that decides first."""
    return ("regret", "best") if len(tables.objectives) == 1 else ("hypervolume", "best")


def comparison_blocks(tables: ComparisonTables) -> list[FigureBlock]:
    """The figures of the page."""
    blocks = []
    for measure in measures(tables):
        curves, title = measure_curves(tables, measure), measure_label(tables, measure)
        figure = curve_figure(curves, "charged trials", title, styles=column_styles(tables), height=420)
        figure.update_yaxes(tickformat=_format(tables, measure), range=settled_range(curves))
        blocks.append(figure_block(measure, figure, f"{measure} over trials"))
    return [*blocks, figure_block("seeds", seed_figure(tables), "where every seed ended")]


def column_styles(tables: ComparisonTables) -> list[tuple[str, str]]:
    """Colour and dash of every column: a colour an entrant; a peer's second column is dotted, random search dashed."""
    colours: dict[tuple[str, str], str] = {}
    styles = []
    for row in tables.columns.to_dict("records"):
        if row["controller"] == BASELINE:
            styles.append((GREY, "dash"))
            continue
        entrant = (row["controller"], row["options"])
        is_second = entrant in colours
        colour = colours.setdefault(entrant, COLOURS[len(colours) % len(COLOURS)])
        styles.append((colour, "dot" if is_second else "solid"))
    return styles


def measure_curves(tables: ComparisonTables, measure: str) -> list[Curve]:
    """A curve for each column, in the order of the columns."""
    seeds = dict(zip(tables.columns["label"], tables.columns["seeds"], strict=True))
    curves = []
    for label in tables.columns["label"]:
        rows = tables.curves[(tables.curves["label"] == label) & (tables.curves["measure"] == measure)]
        median, low, high = (_finite(rows[name].to_numpy(dtype=float)) for name in ("median", "low", "high"))
        # A band that is open on one side has no area.
        is_open = np.isnan(low) | np.isnan(high)
        low, high = np.where(is_open, np.nan, low), np.where(is_open, np.nan, high)
        trials = rows["trials"].to_numpy(dtype=np.int64)
        curves.append(
            Curve(controller=str(label), runs=int(seeds[label]), trained=trials, median=median, low=low, high=high)
        )
    return curves


def settled_range(curves: Sequence[Curve]) -> tuple[float, float] | None:
    """The range of values after the first tenth of the trials: the first few would flatten all others."""
    last = max((int(curve.trained[-1]) for curve in curves if len(curve.trained)), default=0)
    parts = [values[curve.trained > last // 10] for curve in curves for values in (curve.median, curve.low, curve.high)]
    values = np.concatenate([part[np.isfinite(part)] for part in parts]) if parts else np.zeros(0)
    if not len(values) or values.min() == values.max():
        return None
    margin = 0.05 * (values.max() - values.min())
    return float(values.min() - margin), float(values.max() + margin)


def measure_label(tables: ComparisonTables, measure: str) -> str:
    """What an axis says."""
    first = axis_label(tables.objectives[0].metric)
    named = {"regret": f"regret of {first}", "best": f"best {first}", "hypervolume": "share of the hypervolume"}
    return named[measure]


def seed_figure(tables: ComparisonTables) -> go.Figure:
    """Every seed's final figure, a row a column, with median and quartiles."""
    measure = measures(tables)[0]
    labels, styles = list(tables.columns["label"]), column_styles(tables)
    figure = blank_figure(measure_label(tables, measure), "", height=120 + 34 * len(labels))
    for index, label in reversed(list(enumerate(labels))):
        values = _finite(tables.seeds.loc[tables.seeds["label"] == label, measure].to_numpy(dtype=float))
        figure.add_trace(
            go.Box(
                x=values,
                name=wrapped(label),
                orientation="h",
                boxpoints="all",
                jitter=0.6,
                pointpos=0,
                marker={"color": styles[index][0], "size": 4, "opacity": 0.6},
                line={"width": 1.2},
                hovertemplate="%{x}<extra>%{y}</extra>",
            )
        )
    figure.update_layout(showlegend=False)
    figure.update_xaxes(tickformat=_format(tables, measure))
    return figure


def _format(tables: ComparisonTables, measure: str) -> str | None:
    if measure == "hypervolume":
        return ".0%"
    return percent_format(tables.objectives[0].metric) if _is_unit(tables) else None


def _is_unit(tables: ComparisonTables) -> bool:
    """Whether the first objective lies between 0 and 1, as a share does that is not given in per cent."""
    return 0 <= float(tables.reference["best"]) <= 1


def _finite(values: np.ndarray) -> np.ndarray:
    """What is not there yet is not drawn."""
    return np.where(np.isfinite(values), values, np.nan)
