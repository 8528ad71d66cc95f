"""A published figure, ours, and what to say of the two."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from benchmarks.reproduce.checks import run_check
from benchmarks.reproduce.figures import Figure, System
from benchmarks.reproduce.networks import Estimate, Networks, Value
from benchmarks.reproduce.tolerances import Tolerance, scaled
from searchspaces.errors import InputError

EQUAL: Final = "equal"
WITHIN: Final = "within"
DIFFERS: Final = "differs"
NOT_HERE: Final = "not reproducible here"
UNCONFIRMED: Final = "unconfirmed"
VERDICTS: Final = (EQUAL, WITHIN, DIFFERS, NOT_HERE, UNCONFIRMED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of `nas reproduce`; `ours` is in the figure's unit, None where nothing finds it here.

    runs, interval: over how many runs it is, and the ends of its 95 % interval, where chance has a part in it.
    """

    system: str
    figure: Figure
    ours: Decimal | str | None
    verdict: str
    runs: int | None = None
    interval: tuple[Decimal, Decimal] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The row of the JSON document; numbers stay whole where they are."""
        allowed = self.figure.allowed if self.ours is not None else None
        return {
            "system": self.system,
            "quantity": self.figure.label,
            "published": _plain(self.figure.published),
            "unit": self.figure.unit,
            "source": self.figure.source,
            "confidence": self.figure.confidence,
            "ours": _plain(self.ours),
            "tolerance": None if self.ours is None else "exact" if allowed is None else allowed.text,
            "verdict": self.verdict,
            "note": self.figure.note,
            "runs": self.runs,
            "interval": None if self.interval is None else list(map(_plain, self.interval)),
        }


def reproduce(systems: Iterable[System]) -> Iterator[Row]:
    """Every figure of these systems beside ours, found now."""
    networks = Networks()
    for system in systems:
        for figure in system.figures:
            try:
                yield _row(system.name, figure, run_check(networks, figure.check) if figure.check else None)
            except InputError as error:
                raise InputError(f"table {system.name}, {figure.label}: {error}") from error


def judge(figure: Figure, ours: Decimal | str | None) -> str:
    """The verdict: `equal` is the same number, `within` is as near as the digits or the stated tolerance ask for.

    Raises:
        InputError: one of the two is a number and the other is words.
    """
    if figure.confidence == "unconfirmed":
        return UNCONFIRMED
    if ours is None:
        return NOT_HERE
    allowed: Tolerance | None = figure.allowed
    if isinstance(ours, str) != (allowed is None):
        raise InputError(f"published {figure.published!r} and ours {ours!r}: expected two numbers or words for both.")
    if ours == figure.published:
        return EQUAL
    return WITHIN if allowed is not None and isinstance(ours, Decimal) and allowed.holds(ours) else DIFFERS


def _row(system: str, figure: Figure, found: Value | None) -> Row:
    if isinstance(found, Estimate):
        ours, low, high = (scaled(each, figure.unit) for each in (found.value, found.low, found.high))
        verdict = judge(figure, ours)
        return Row(system=system, figure=figure, ours=ours, verdict=verdict, runs=found.runs, interval=(low, high))
    value = found if found is None or isinstance(found, str) else scaled(found, figure.unit)
    return Row(system=system, figure=figure, ours=value, verdict=judge(figure, value))


def _plain(value: Decimal | str | None) -> int | float | str | None:
    if not isinstance(value, Decimal):
        return value
    return int(value) if value == value.to_integral_value() else float(value)
