"""What a cell of NAS-Bench-201 is written as, and when two cells are one network."""

from __future__ import annotations

import re
from functools import cache
from itertools import permutations, product
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from searchspaces.blocks.cells import CELL_EDGES, CELL_OPS, NONE, POOL, SKIP
from searchspaces.errors import InputError

Cell: TypeAlias = tuple[str, ...]
Key: TypeAlias = tuple[tuple[object, ...], ...]

EXAMPLE = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|"
_NODES = (1, 2, 3)
_OP = "|".join(CELL_OPS)
_WRITTEN = re.compile(
    r"\+".join(r"\|" + "".join(rf"({_OP})~{source}\|" for source in range(node)) for node in _NODES), flags=re.ASCII
)


def cell_text(cell: Cell) -> str:
    """The benchmark's own string: nodes joined by ``+``, each ``|operation~source|…|``."""
    edges = dict(zip(CELL_EDGES, cell, strict=True))
    return "+".join("|" + "".join(f"{edges[source, node]}~{source}|" for source in range(node)) for node in _NODES)


def parse_cell(text: str) -> Cell:
    """The operations of a benchmark's string, in the order of `CELL_EDGES`."""
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        raise InputError(
            f"cell: expected a string such as {EXAMPLE} of the operations {', '.join(CELL_OPS)}, got {text[:120]!r}; "
            "write every edge, none where it is empty."
        )
    return found.groups()


def published_key(cell: Cell) -> str:
    """The key by which the authors count 6,466 cells (their `to_unique_str` with zeros considered).

    It is no key of networks: it tells apart cells that add a different number of zeros, and takes one convolution that
    is used twice for two convolutions.
    """
    edges = dict(zip(CELL_EDGES, cell, strict=True))
    nodes = ["0"]
    for node in _NODES:
        terms = []
        for source in range(node):
            op = edges[source, node]
            if op == NONE or nodes[source] == "#":
                terms.append("#")
            else:
                terms.append(nodes[source] if op == SKIP else f"({nodes[source]})@{op}")
        nodes.append("+".join(sorted(terms)))
    return nodes[-1]


def network_key(cell: Cell) -> Key:
    """The same for two cells exactly where they make one network, up to the names of nodes and the order of sums.

    Empty edges vanish and so does what they cut off; a skip is the node it comes from; means of one node are one mean,
    for they have no weights. What is left is a graph of operations, each over a sum of others: `reads` by number, 0 for
    what the cell is fed.
    """
    terms: dict[int, list[int]] = {0: [0]}
    reads: dict[int, list[int]] = {}
    ops: dict[int, str] = {}
    means: dict[tuple[int, ...], int] = {}
    for number, ((source, target), op) in enumerate(zip(CELL_EDGES, cell, strict=True), start=1):
        arriving = terms.setdefault(target, [])
        if op == NONE or not terms[source]:
            continue
        if op == SKIP:
            arriving += terms[source]
            continue
        if op == POOL:
            number = means.setdefault(tuple(sorted(terms[source])), number)
        ops[number], reads[number] = op, terms[source]
        arriving.append(number)
    written = {0: "0"}
    for number in ops:
        written[number] = f"{ops[number]}({'+'.join(sorted(written[term] for term in reads[number]))})"
    used: set[int] = set()
    waiting = [number for number in terms[_NODES[-1]] if number]
    while waiting:
        number = waiting.pop()
        if number not in used:
            used.add(number)
            waiting += [term for term in reads[number] if term]
    # Operations that read alike may still be shared differently: of their orders, the least key.
    alike: dict[str, list[int]] = {}
    for number in sorted(used, key=lambda each: (len(written[each]), written[each])):
        alike.setdefault(written[number], []).append(number)
    keys = []
    for orders in product(*(permutations(group) for group in alike.values())):
        order = [number for group in orders for number in group]
        place = {0: 0, **{number: index for index, number in enumerate(order, start=1)}}
        rows = [(ops[number], *sorted(place[term] for term in reads[number])) for number in order]
        keys.append((*rows, tuple(sorted(place[term] for term in terms[_NODES[-1]]))))
    return min(keys)


def cell_of_code(code: int) -> Cell:
    """The cell of a number below 15,625: its operations are the digits to base 5, first edge first."""
    powers = [len(CELL_OPS) ** power for power in reversed(range(len(CELL_EDGES)))]
    return tuple(CELL_OPS[code // power % len(CELL_OPS)] for power in powers)


@cache
def network_classes() -> NDArray[np.int64]:
    """For every cell by its code, the number of its network ``[15625]``; equal cells share it."""
    numbers: dict[Key, int] = {}
    count = len(CELL_OPS) ** len(CELL_EDGES)
    classes = [numbers.setdefault(network_key(cell_of_code(code)), len(numbers)) for code in range(count)]
    return np.array(classes, dtype=np.int64)
