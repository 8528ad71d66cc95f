"""One cell of a table: is it missing, is it a number, and how is it written. Reading and serving share these."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

MISSING_WORDS: Final = frozenset({"", "?", "na", "n/a", "#n/a", "<na>", "nan", "null"})


def is_missing(value: object) -> bool:
    """True for None, NaN and the words that stand for a missing cell, whatever their case."""
    if value is None:
        return True
    if isinstance(value, str):
        return value.strip().lower() in MISSING_WORDS
    return isinstance(value, (float, np.floating)) and math.isnan(value)


def number(value: object) -> float | None:
    """The cell as a number, NaN where it is missing, None where it is something else."""
    if is_missing(value):
        return math.nan
    if isinstance(value, str) and "_" in value:
        return None  # float() takes 1_000, but in a table it is a code.
    if not isinstance(value, (str, bool, int, float, np.number, np.bool_)):
        return None
    try:
        return float(value)
    except ValueError:
        return None
    except OverflowError:  # A whole number beyond a float.
        return math.inf


def text(value: object) -> str | None:
    """The cell as the name of a category, None where it is missing; 7 and 7.0 are both "7"."""
    if is_missing(value):
        return None
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()
