"""Reads the tables of `benchmarks.published`: every figure with its source, and the check that finds ours."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Final

from benchmarks.reproduce.tolerances import Tolerance, printed_tolerance, stated_tolerance
from searchspaces.errors import InputError, unknown_name

CONFIDENCES: Final = ("primary", "secondary", "computed", "unconfirmed")
_SUFFIX = ".toml"
_SYSTEM_KEYS = ("title", "paper", "figures")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One published figure; a number keeps its printed digits, words are compared as they are.

    name: what it is about: a network, a data set, a device.
    check: how ours is found, in the terms of `benchmarks.reproduce.checks`; empty where it cannot be found here.
    tolerance: as stated in the table; empty where the printed digits decide.
    note: why a tolerance is stated or ours differs; without a check, what is missing.
    """

    name: str
    quantity: str
    published: Decimal | str
    unit: str = ""
    source: str
    confidence: str
    check: str = ""
    tolerance: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "published" and not isinstance(value, str):
                raise InputError(f"{field.name}: expected text, got {value!r}; put it in quotes.")
        for name in ("name", "quantity", "source"):
            if not getattr(self, name).strip():
                raise InputError(f"{name}: expected words, got none; say what or where it is.")
        if self.confidence not in CONFIDENCES:
            raise unknown_name("confidence", self.confidence, CONFIDENCES)
        if self.tolerance and (not self.note or not self.check or isinstance(self.published, str)):
            raise InputError(f"tolerance {self.tolerance}: expected a number, its check and a note with the reason.")
        if not self.check and not self.note and self.confidence != "unconfirmed":
            raise InputError("note: expected what is missing, since there is no check; say it, or add a check.")
        self.allowed  # noqa: B018 (a tolerance that cannot be read is refused here)

    @property
    def label(self) -> str:
        """What is published of what: `efficientnet-b0: parameters`."""
        return f"{self.name}: {self.quantity}"

    @property
    def allowed(self) -> Tolerance | None:
        """What counts as the published number; None for words."""
        if isinstance(self.published, str):
            return None
        if self.tolerance:
            return stated_tolerance(self.published, self.tolerance)
        return printed_tolerance(self.published, self.unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The figures of one publication and of what was published beside it."""

    name: str
    title: str
    paper: str
    figures: tuple[Figure, ...]


def system_names() -> list[str]:
    """The systems there are tables for."""
    return sorted(_tables())


def load_system(name: str) -> System:
    """The table of a system by its name."""
    tables = _tables()
    if name not in tables:
        raise unknown_name("system", name, tables)
    return read_system(name, tables[name])


def read_system(name: str, source: Traversable) -> System:
    """The table in a TOML file.

    Raises:
        InputError: the file cannot be read or a figure in it is wrong; the message names the file and the figure.
    """
    try:
        # Decimal keeps the digits as they are printed: 69.40 is not 69.4.
        data = tomllib.loads(source.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"table {source}: expected a readable TOML file, got: {reason}; check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"table {source}: expected a TOML file, got: {error}; correct it there.") from error
    for key in data:
        if key not in _SYSTEM_KEYS:
            raise unknown_name(f"key of table {source}", key, _SYSTEM_KEYS)
    title, paper, rows = (data.get(key) for key in _SYSTEM_KEYS)
    if not isinstance(title, str) or not isinstance(paper, str):
        raise InputError(f"table {source}: expected title and paper as text, got {title!r} and {paper!r}; add them.")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"table {source}: expected [[figures]], got {rows!r}; add one or more.")
    figures = [figure for number, row in enumerate(rows, start=1) for figure in _figures(source, number, row)]
    counts = Counter(figure.label for figure in figures)
    if twice := sorted(label for label, count in counts.items() if count > 1):
        raise InputError(f"table {source}: expected every figure once, got more of {twice}; rename them.")
    return System(name=name, title=title, paper=paper, figures=tuple(figures))


def _figures(source: Traversable, number: int, row: Mapping[str, Any]) -> Iterator[Figure]:
    """The figures of one `[[figures]]`: one for each name under `published`."""
    known = {field.name for field in fields(Figure)} - {"name"}
    where = f"table {source}, figures {number} ({row.get('quantity', 'no quantity')})"
    for key in row:
        if key not in known:
            raise unknown_name(f"{where}: key", key, known)
    if missing := {"quantity", "published", "source", "confidence"} - set(row):
        raise InputError(f"{where}: expected {', '.join(sorted(missing))}, which is missing; add it.")
    published = row["published"]
    if not isinstance(published, dict) or not published:
        raise InputError(f"{where}: expected published as {{name = figure}}, got {published!r}; write it so.")
    for name, figure in published.items():
        check = row.get("check", "")
        if isinstance(check, str):
            check = check.replace("{}", name)
        try:
            own = {"name": name, "published": _number_or_words(figure), "check": check}
            yield Figure(**{**row, **own})
        except InputError as error:
            raise InputError(f"{where}, {name}: {error}") from error


def _number_or_words(value: object) -> Decimal | str:
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, Decimal | str):
        return value
    raise InputError(f"published: expected a number or words, got {value!r}; correct it.")


def _tables() -> dict[str, Traversable]:
    folder = resources.files("benchmarks.published")
    return {path.name.removesuffix(_SUFFIX): path for path in folder.iterdir() if path.name.endswith(_SUFFIX)}
