"""What all interactive figures share; texts of users are escaped, since plotly reads them as HTML.

Colours of text, axes and grids come from the page's style sheet, so that a figure follows light and dark.
"""

from __future__ import annotations

import html
from textwrap import wrap
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from reports.words import is_share, shorten


def text(value: object) -> str:
    """A user's text as plotly may show it."""
    return html.escape(shorten(value), quote=False)


def wrapped(label: str, width: int = 24) -> str:
    """A long label over several lines."""
    return "<br>".join(text(line) for line in wrap(" ".join(label.split()), width) or [""])


def blank_figure(x_title: str, y_title: str, *, height: int) -> go.Figure:
    """An empty figure with titled axes, transparent, as wide as the page allows."""
    figure = go.Figure()
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 16, "r": 16, "t": 40, "b": 16},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "inherit", "size": 12.5},
        hoverlabel={"align": "left"},
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
        showlegend=True,
    )
    figure.update_xaxes(title={"text": text(x_title), "standoff": 12}, automargin=True, zeroline=False)
    figure.update_yaxes(title={"text": text(y_title), "standoff": 12}, automargin=True, zeroline=False)
    return figure


def error_bars(
    values: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64], colour: str
) -> dict[str, Any]:
    """Bars from low to high around the values."""
    return {
        "type": "data",
        "symmetric": False,
        "array": np.maximum(high - values, 0),
        "arrayminus": np.maximum(values - low, 0),
        "color": colour,
        "thickness": 1.2,
        "width": 0,
    }


def percent_format(metric: str) -> str | None:
    """The tick format of a metric that reads best in per cent."""
    return ".1%" if is_share(metric) else None
