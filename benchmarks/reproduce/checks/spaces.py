"""Sizes of search spaces, and of the feed-forward networks that TabNAS counts."""

from __future__ import annotations

import numpy as np

from benchmarks.reproduce.networks import Networks
from searchspaces.blocks import DenseBlock
from searchspaces.catalog import create_space
from searchspaces.errors import InputError
from searchspaces.spec import NetworkSpec
from searchspaces.tabnas import WIDTHS


def space_size(networks: Networks, space: str, **pins: str) -> int:
    """Distinct networks of a space, with choices pinned by name."""
    return create_space(space, **pins).size


def index_count(networks: Networks, space: str) -> int:
    """All combinations of a space's choices, those that reach no network too: what papers print as a size."""
    return create_space(space).index_count


def dense_params(networks: Networks, sizes: str) -> int:
    """Parameters of a feed-forward network such as 2-4-2-1, the input's and the output's size first and last."""
    numbers = _numbers(sizes)
    blocks = tuple(DenseBlock(name=f"dense_{index}", units=units) for index, units in enumerate(numbers[1:]))
    return NetworkSpec(name="dense", input_shape=(numbers[0],), blocks=blocks).params


def dense_under(
    networks: Networks,
    limit: str,
    features: str,
    outputs: str,
    layers: str,
    *,
    widths: str = "-".join(map(str, WIDTHS)),
) -> int:
    """How many feed-forward networks of so many hidden layers and these widths keep a limit of parameters."""
    choices = _numbers(widths)
    first = [dense_params(networks, f"{features}-{width}") for width in choices]
    last = [dense_params(networks, f"{width}-{outputs}") for width in choices]
    between = [[dense_params(networks, f"{width}-{next_width}") for next_width in choices] for width in choices]
    # A network's parameters are the sum over its layers: totals of all networks, by the width they end in.
    totals = [np.array([count]) for count in first]
    for _ in range(int(layers) - 1):
        totals = [
            np.concatenate([before + between[row][column] for row, before in enumerate(totals)])
            for column in range(len(choices))
        ]
    return sum(int(np.sum(total + count <= int(limit))) for total, count in zip(totals, last, strict=True))


def _numbers(text: str) -> list[int]:
    if not all(part.isdigit() for part in text.split("-")):
        raise InputError(f"sizes: expected whole numbers such as 2-4-2-1, got {text!r}; correct the check.")
    return [int(part) for part in text.split("-")]
