"""How far ours may be from a published figure: as far as its printed digits leave open, or a stated amount."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from searchspaces.errors import InputError

UNIT_SCALES: Final = {"k": 10**3, "M": 10**6, "G": 10**9, "kB": 10**3, "MB": 10**6, "MiB": 2**20}

# Units in which a whole number is a count and leaves nothing open.
_COUNTED: Final = ("", "bytes", "px")
_STATED: Final = re.compile(r"(?P<sign>±)?(?P<amount>\d+(\.\d+)?)(?P<percent> %)?")
_LONG: Final = 10**12
# Half an order of magnitude: what a bare power of ten, such as 1e21, leaves open on either side.
_HALF_DECADE: Final = Decimal(10).sqrt()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """The values, in the figure's unit, that count as the published one; `text` says so in a word or two."""

    low: Decimal
    high: Decimal
    text: str

    def holds(self, value: Decimal) -> bool:
        """Whether a value lies within; the ends do."""
        return self.low <= value <= self.high


def scaled(value: float | Decimal, unit: str) -> Decimal:
    """A value in base units (a count, bytes) in terms of `unit`; units that scale nothing leave it."""
    exact = value if isinstance(value, Decimal) else Decimal(str(value))
    return exact / UNIT_SCALES[unit] if unit in UNIT_SCALES else exact


def number_text(value: Decimal) -> str:
    """A number as a person writes it: thousands grouped, and powers of ten where that would be long."""
    if abs(value) >= _LONG:
        mantissa, exponent = f"{value:.3e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return f"{value:,f}"


def printed_tolerance(published: Decimal, unit: str) -> Tolerance:
    """What the printed digits leave open: half a unit of the last one; nothing where a count is printed in full."""
    digits, exponent = published.as_tuple().digits, published.as_tuple().exponent
    if not isinstance(exponent, int):
        raise InputError(f"published figure: expected a finite number, got {published}; correct it in its table.")
    if exponent == 0 and unit in _COUNTED:
        return Tolerance(low=published, high=published, text="exact")
    if exponent > 0 and digits == (1,):
        return Tolerance(low=published / _HALF_DECADE, high=published * _HALF_DECADE, text="power of ten")
    half = Decimal(5).scaleb(exponent - 1)
    return Tolerance(low=published - half, high=published + half, text=f"±{number_text(half)}")


def stated_tolerance(published: Decimal, text: str) -> Tolerance:
    """A tolerance as a table states it: `4 %` of the published figure, or `±2` in its unit."""
    match = _STATED.fullmatch(text)
    if match is None or bool(match["sign"]) == bool(match["percent"]):
        raise InputError(f"tolerance: expected '4 %' or '±2' with numbers of your own, got {text!r}; correct it.")
    amount = Decimal(match["amount"])
    half = abs(published) * amount / 100 if match["percent"] else amount
    return Tolerance(low=published - half, high=published + half, text=f"±{text}" if match["percent"] else text)
