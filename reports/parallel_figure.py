"""Parallel coordinates as plain SVG lines: plotly's own need WebGL, which not every reader's machine has."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from reports.canvas import blank_figure, text
from reports.choices import GROUPS, Parallel
from reports.palette import GREY, ORANGE, STATUS, TEAL, faded

STYLES = {
    "lowest third": (faded(GREY, 0.35), 1.0),
    "middle third": (faded(STATUS["dominated"], 0.5), 1.0),
    "best third": (faded(TEAL, 0.55), 1.2),
    "front": (ORANGE, 2.0),
}


def parallel_figure(parallel: Parallel) -> go.Figure:
    """A line per trial; the legend switches its groups off and on."""
    figure = blank_figure("", "", height=500)
    for group in GROUPS:
        rows = [row for row, own in enumerate(parallel.groups) if own == group]
        if rows:
            figure.add_trace(_lines(parallel, rows, group))
    for place, axis in enumerate(parallel.axes):
        figure.add_shape(type="line", x0=place, x1=place, y0=0, y1=1, layer="above", line={"color": GREY, "width": 1})
        for height, label in axis.ticks:
            figure.add_annotation(
                x=place, y=height, text=text(label), showarrow=False, xanchor="left", xshift=3, font={"size": 11}
            )
    figure.update_xaxes(
        tickvals=list(range(len(parallel.axes))),
        ticktext=[_broken(axis.title) for axis in parallel.axes],
        range=[-0.25, len(parallel.axes) - 0.15],
        side="bottom",
        showgrid=False,
        fixedrange=True,
        tickangle=0,
    )
    figure.update_yaxes(visible=False, range=[-0.03, 1.04], fixedrange=True)
    figure.update_layout(hovermode="closest", legend={"traceorder": "reversed"})
    return figure


def _lines(parallel: Parallel, rows: list[int], group: str) -> go.Scatter:
    """All lines of a group as one trace, NaN between them."""
    axes = len(parallel.axes)
    places = np.append(np.arange(axes, dtype=float), np.nan)
    heights = np.concatenate([parallel.heights[rows], np.full((len(rows), 1), np.nan)], axis=1)
    texts = [text_of for row in rows for text_of in [_hover(parallel.texts[row])] * (axes + 1)]
    colour, width = STYLES[group]
    return go.Scatter(
        x=np.tile(places, len(rows)),
        y=np.round(heights.ravel(), 4),
        mode="lines",
        name=group,
        line={"color": colour, "width": width},
        text=texts,
        hovertemplate="%{text}<extra></extra>",
        connectgaps=False,
    )


def _hover(lines: str) -> str:
    return "<br>".join(text(line) for line in lines.split("\n"))


def _broken(title: str, width: int = 12) -> str:
    """A title over several lines, broken at spaces, dots and underscores."""
    lines = [""]
    for word in title.replace("_", "_ ").replace(".", ". ").split(" "):
        if lines[-1] and len(lines[-1]) + len(word) > width:
            lines.append("")
        joint = "" if not lines[-1] or lines[-1].endswith(("_", ".")) else " "
        lines[-1] += joint + word
    return "<br>".join(text(line) for line in lines)
