"""A comparison as a picture for papers (matplotlib, drawn off screen)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nas.tables import ComparisonTables
from reports.comparison_figures import column_styles, measure_curves, measure_label, measures, settled_range
from reports.static import DPI, PANEL_INCHES, STYLE
from reports.words import shorten

LINES = {"solid": "-", "dot": ":", "dash": "--"}


def save_comparison_png(tables: ComparisonTables, path: Path) -> None:
    """The deciding measure over trials, and beside it where every seed ended."""
    with rc_context(STYLE):
        height = max(PANEL_INCHES[1], 0.9 + 0.32 * len(tables.columns))
        figure = Figure(figsize=(2 * PANEL_INCHES[0], height), layout="constrained")
        FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2)
        _curves(left, tables)
        _ends(right, tables)
        figure.savefig(path, dpi=DPI, facecolor="white", metadata={"Software": "paretonas"})


def _curves(axes: Axes, tables: ComparisonTables) -> None:
    measure = measures(tables)[0]
    curves = measure_curves(tables, measure)
    for curve, (colour, dash) in zip(curves, column_styles(tables), strict=True):
        axes.step(curve.trained, curve.median, where="post", color=colour, lw=1.6, ls=LINES[dash])
        axes.fill_between(curve.trained, curve.low, curve.high, step="post", color=colour, alpha=0.12, lw=0)
    axes.set_xlabel("charged trials")
    axes.set_ylabel(measure_label(tables, measure))
    axes.set_xlim(1, tables.at[-1])
    if (bounds := settled_range(curves)) is not None:
        axes.set_ylim(*bounds)
    axes.set_title(f"median of {tables.described['repeats']} seeds, 95 % interval", fontsize=9, loc="left")


def _ends(axes: Axes, tables: ComparisonTables) -> None:
    """A row a column: its seeds, their median, and its interval."""
    measure, labels = measures(tables)[0], list(tables.columns["label"])
    styles = column_styles(tables)
    for place, row in enumerate(tables.columns.to_dict("records")):
        values = tables.seeds.loc[tables.seeds["label"] == row["label"], measure].to_numpy(dtype=float)
        values = values[np.isfinite(values)]
        colour = styles[place][0]
        axes.scatter(values, np.full(len(values), place), s=9, color=colour, alpha=0.35, lw=0, zorder=3)
        low, high = row[f"{measure}.low"], row[f"{measure}.high"]
        if np.isfinite([low, high]).all():
            axes.hlines(place, low, high, color=colour, lw=2.4, alpha=0.8, zorder=4)
        axes.plot(row[f"{measure}.median"], place, marker="|", ms=12, mew=2.2, color=colour, zorder=5)
    axes.set_yticks(range(len(labels)), [shorten(label, 40) for label in labels], fontsize=8)
    # The names stand for a legend of both panels.
    for tick, (colour, _) in zip(axes.get_yticklabels(), styles, strict=True):
        tick.set_color(colour)
    axes.invert_yaxis()
    axes.set_xlabel(f"{measure_label(tables, measure)} after {tables.at[-1]:,} trials")
