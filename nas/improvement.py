"""Expected hypervolume improvement, exactly: what a point would add to a front if its losses are independent Gaussians.

Emmerich et al., "Single- and multiobjective evolutionary optimization assisted by Gaussian random field metamodels",
2006, defines it. Here what no point of the front dominates is cut into boxes, and in each box the expectation is a
product of one-dimensional ones, so that it is exact for any number of objectives; a loss that is known (deviation 0)
is the limit of the same formula. With one objective it is expected improvement.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nas.pareto import non_dominated
from nas.ranking import crowded_order

Floats = NDArray[np.float64]

# A front of n points makes about n^(M-1) / (M-1)! boxes; a larger one is thinned, its most crowded points first.
_BOXES = 4000
# Box edges times points held at once.
_CELLS = 2_000_000


def expected_improvement(mean: Floats, deviation: Floats, front: Floats, reference: Floats) -> Floats:
    """The expected growth of the front's volume by each of N points, [N].

    Args:
        mean, deviation: of each point's losses, [N, M]; less is better, and a deviation of 0 says that it is known.
        front: losses to improve on, [F, M], dominated ones or none too.
        reference: the corner that bounds the volume, [M].
    """
    lower, upper = _boxes(_thinned(front, reference), reference)
    gain = np.zeros(len(mean))
    step = max(1, _CELLS // max(1, len(lower)))
    for start in range(0, len(mean), step):
        rows = slice(start, start + step)
        volume = np.ones((len(mean[rows]), len(lower)))
        for column in range(mean.shape[1]):
            centre, spread = mean[rows, [column]], deviation[rows, [column]]
            volume *= _below(upper[:, column], centre, spread) - _below(lower[:, column], centre, spread)
        gain[rows] = volume.sum(axis=1)
    return gain


def _below(edge: Floats, mean: Floats, deviation: Floats) -> Floats:
    """E[max(edge - x, 0)] for Gaussian x, [N, B]; 0 at an edge of minus infinity."""
    from scipy.special import ndtr

    gap = np.where(np.isfinite(edge), edge, mean) - mean
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = gap / deviation
        uncertain = gap * ndtr(scaled) + deviation * np.exp(-(scaled**2) / 2) / math.sqrt(2 * math.pi)
    found = np.where(deviation > 0, uncertain, np.maximum(gap, 0.0))
    return np.where(np.isfinite(edge), found, 0.0)


def _thinned(front: Floats, reference: Floats) -> Floats:
    inside = front[(front < reference).all(axis=1)]
    inside = inside[non_dominated(inside, ["minimize"] * len(reference))]
    slopes = len(reference) - 1
    most = len(inside) if slopes < 2 else int((_BOXES * math.factorial(slopes)) ** (1 / slopes))
    return inside if len(inside) <= most else inside[crowded_order(inside, ["minimize"] * len(reference))[:most]]


def _boxes(front: Floats, reference: Floats) -> tuple[Floats, Floats]:
    """Lower and upper corners, [B, M], of disjoint boxes that hold what is inside the reference and not dominated.

    Slabs along the last loss: within one the same points of the front count, with one loss less.
    """
    if len(reference) == 1:
        return np.array([[-np.inf]]), np.array([[np.min(front[:, 0], initial=reference[0])]])
    front = front[np.argsort(front[:, -1], kind="stable")]
    edges = np.concatenate([[-np.inf], front[:, -1], reference[-1:]])
    if len(reference) == 2:
        best = np.minimum.accumulate(np.append(reference[0], front[:, 0]))
        return np.column_stack([np.full(len(best), -np.inf), edges[:-1]]), np.column_stack([best, edges[1:]])
    lowers, uppers = [], []
    for count, (start, end) in enumerate(pairwise(edges)):
        if start < end:
            lower, upper = _boxes(front[:count, :-1], reference[:-1])
            lowers.append(np.column_stack([lower, np.full(len(lower), start)]))
            uppers.append(np.column_stack([upper, np.full(len(upper), end)]))
    return np.concatenate(lowers), np.concatenate(uppers)
