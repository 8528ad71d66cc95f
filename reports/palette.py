"""Colours that stay apart for colour-blind readers, on white and on dark paper.

The scheme is "vibrant" of Paul Tol, "Colour Schemes", SRON/EPS/TN/09-002 (2021).
"""

from __future__ import annotations

ORANGE, BLUE, CYAN, MAGENTA, RED, TEAL, GREY = (
    "#EE7733",
    "#0077BB",
    "#33BBEE",
    "#EE3377",
    "#CC3311",
    "#009988",
    "#8A8F98",
)
# Orange comes late: it is the front's own colour.
SERIES = (BLUE, TEAL, MAGENTA, CYAN, RED, ORANGE, GREY)
STATUS = {"front": ORANGE, "tied": TEAL, "dominated": "#7BA7CC", "infeasible": GREY}
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "star")


def series_colour(index: int) -> str:
    """The colour of the n-th series; the scheme repeats after seven."""
    return SERIES[index % len(SERIES)]


def faded(colour: str, opacity: float) -> str:
    """A `#RRGGBB` colour as `rgba(…)`."""
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"
