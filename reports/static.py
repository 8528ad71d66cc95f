"""The front as a picture for papers (matplotlib, drawn off screen)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, PercentFormatter

from nas.pareto import Objective
from reports.anytime import Comparison
from reports.fronts import Front, focus
from reports.palette import GREY, STATUS, series_colour
from reports.words import axis_label, is_share, shorten

DPI = 300
PANEL_INCHES = (5.2, 3.7)
MOST_FRONTS = 6
MARKERS = ("o", "D", "s", "^", "P", "*")
STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E8EB",
    "grid.linewidth": 0.7,
    "axes.edgecolor": "#5B6470",
    "text.parse_math": False,
}


def save_front_png(fronts: Sequence[Front], comparisons: Sequence[Comparison], path: Path) -> None:
    """A row of panels per front, each the first objective against another; progress where there is only one."""
    shown = [front for front in fronts if len(front.points)][:MOST_FRONTS]
    with rc_context(STYLE):
        columns = max((len(front.objectives) - 1 for front in shown), default=1) or 1
        size = (PANEL_INCHES[0] * columns, PANEL_INCHES[1] * max(len(shown), 1))
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(max(len(shown), 1), columns, squeeze=False)
        for axes in grid.flat:
            axes.set_visible(False)
        for row, front in zip(grid, shown, strict=False):
            _draw_front(row, front, comparisons, titled=len(shown) > 1)
        if not shown:
            grid[0, 0].set_visible(True)
            grid[0, 0].set_axis_off()
            grid[0, 0].text(0.5, 0.5, "no complete trial", ha="center", va="center", color=GREY)
        figure.savefig(path, dpi=DPI, facecolor="white", metadata={"Software": "paretonas"})


def _draw_front(row: Sequence[Axes], front: Front, comparisons: Sequence[Comparison], *, titled: bool) -> None:
    first, *others = front.objectives
    for axes, other in zip(row, others, strict=False):
        axes.set_visible(True)
        _scatter(axes, front, other, first)
    if not others:
        row[0].set_visible(True)
        _progress(row[0], front, comparisons)
    if titled:
        row[0].set_title(shorten(front.fingerprint or ", ".join(front.runs), 60), fontsize=9, loc="left")


def _scatter(axes: Axes, front: Front, x: Objective, y: Objective) -> None:
    points = front.points
    looks = {"dominated": (14, 0.55, 2), "tied": (24, 0.9, 3), "front": (38, 1.0, 4)}
    for status, (size, alpha, layer) in looks.items():
        for index, run in enumerate(front.runs):
            rows = points[(points["status"] == status) & (points["run"] == run)]
            axes.scatter(
                rows[x.metric],
                rows[y.metric],
                s=size,
                alpha=alpha,
                zorder=layer,
                marker=MARKERS[index % len(MARKERS)],
                facecolor="none" if status == "tied" else STATUS[status],
                edgecolor=STATUS[status] if status == "tied" else "none",
                linewidth=1.1,
            )
    members = points[points["status"] == "front"].sort_values(x.metric, kind="stable")
    for side, metric in (("xerr", x.metric), ("yerr", y.metric)):
        values = members[metric].to_numpy(float)
        below, above = values - members[f"low:{metric}"], members[f"high:{metric}"] - values
        bars = np.maximum(np.stack([below, above]), 0)
        style = {"fmt": "none", "ecolor": STATUS["front"], "elinewidth": 0.9, "alpha": 0.6, "zorder": 3}
        axes.errorbar(members[x.metric], members[y.metric], **{side: bars}, **style)
    if len(front.objectives) == 2:
        step = "post" if x.direction == "minimize" else "pre"
        axes.step(members[x.metric], members[y.metric], where=step, color=STATUS["front"], lw=1.2, zorder=3)
    _zoom(axes, front, x, y)
    _name_picks(axes, front, x, y)
    _label(axes, x.metric, y.metric)
    _legend(axes, front)


def _zoom(axes: Axes, front: Front, x: Objective, y: Objective) -> None:
    """Looks at the front, and says how many points that leaves out."""
    outside = np.zeros(len(front.points), dtype=bool)
    for set_limits, metric in ((axes.set_xlim, x.metric), (axes.set_ylim, y.metric)):
        view = focus(front, metric)
        if view is not None:
            set_limits(*view)
            outside |= ~front.points[metric].between(*view).to_numpy()
    if outside.any():
        count = int(outside.sum())
        note = f"{count} point{'s' if count > 1 else ''} outside of view"
        axes.text(0.99, 0.02, note, transform=axes.transAxes, ha="right", fontsize=8, color=GREY)


def _name_picks(axes: Axes, front: Front, x: Objective, y: Objective) -> None:
    for row in front.points[front.points["label"] != ""].to_dict("records"):
        axes.annotate(
            row["label"],
            (row[x.metric], max(row[y.metric], row[f"high:{y.metric}"])),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            zorder=5,
        )


def _progress(axes: Axes, front: Front, comparisons: Sequence[Comparison]) -> None:
    objective = front.objectives[0]
    for comparison in comparisons:
        if not set(comparison.runs) & set(front.runs):
            continue
        for index, curve in enumerate(comparison.best):
            colour = series_colour(index)
            name = shorten(curve.controller, 40)
            axes.step(curve.trained, curve.median, where="post", color=colour, lw=1.6, label=name)
            axes.fill_between(curve.trained, curve.low, curve.high, step="post", color=colour, alpha=0.15, lw=0)
    _label(axes, None, objective.metric)
    axes.set_xlabel("trained trials")
    axes.legend(frameon=False, fontsize=8, loc="best")


def _label(axes: Axes, x_metric: str | None, y_metric: str) -> None:
    for metric, set_label, axis in (
        (x_metric, axes.set_xlabel, axes.xaxis),
        (y_metric, axes.set_ylabel, axes.yaxis),
    ):
        if metric is None:
            continue
        set_label(axis_label(metric))
        if is_share(metric):
            axis.set_major_formatter(PercentFormatter(1.0, decimals=1))
        elif metric.endswith("bytes") or metric in ("params", "macs"):
            axis.set_major_formatter(EngFormatter())


def _legend(axes: Axes, front: Front) -> None:
    """What is on the plot, outside of it, so that it never covers a point."""
    statuses = [status for status in ("front", "tied", "dominated") if (front.points["status"] == status).any()]
    handles = [
        Line2D(
            [],
            [],
            ls="none",
            marker="o",
            ms=5.5,
            label={"front": "on the front", "tied": "tied with the front", "dominated": "dominated"}[status],
            mfc="none" if status == "tied" else STATUS[status],
            mec=STATUS[status],
        )
        for status in statuses
    ]
    if len(front.runs) > 1:
        handles += [
            Line2D([], [], ls="none", marker=MARKERS[i % len(MARKERS)], ms=5.5, color=GREY, label=shorten(run, 30))
            for i, run in enumerate(front.runs)
        ]
    axes.legend(
        handles=handles,
        frameon=False,
        fontsize=8,
        ncols=3,
        loc="lower left",
        bbox_to_anchor=(0, 1.01),
        borderaxespad=0,
        handletextpad=0.2,
        columnspacing=1.2,
    )
