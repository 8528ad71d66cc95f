"""What every export leaves behind: the file asked for, those of further precisions, labels and cards."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from nas.export.card import card_json, card_markdown, labels_text
from nas.export.convert import PRECISIONS, Precision
from searchspaces.errors import unknown_name
from searchspaces.spec import NetworkSpec


class Made(Protocol):
    """A file that passed its gate but is not written yet."""

    @property
    def precision(self) -> Precision: ...
    @property
    def file(self) -> str: ...
    @property
    def tflite(self) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """The files: `F.tflite`, beside it `F.json`, `F.md`, `F.labels.txt`; `files` has the .tflite of every precision.

    measured: the cost of `tflite` itself, None where none was asked.
    """

    architecture: str
    precision: Precision
    tflite: Path
    files: Mapping[Precision, Path]
    size_bytes: int
    sha256: str
    measured: Mapping[str, Any] | None

    @property
    def card(self) -> Path:
        """The card as JSON."""
        return self.tflite.with_suffix(".json")

    @property
    def readme(self) -> Path:
        """The card to be read."""
        return self.tflite.with_suffix(".md")

    @property
    def labels(self) -> Path:
        """Class names, one a line."""
        return self.tflite.with_suffix(".labels.txt")

    def to_dict(self) -> dict[str, Any]:
        """JSON data; what a kind of network has beside it is added by its own record."""
        return {
            "architecture": self.architecture,
            "precision": self.precision,
            **{name: str(getattr(self, name)) for name in ("tflite", "card", "readme", "labels")},
            "files": {precision: str(path) for precision, path in self.files.items()},
            "size_bytes": self.size_bytes,
            "sha256": self.sha256,
            "measured": None if self.measured is None else dict(self.measured),
        }


def exported(out: Path, spec: NetworkSpec, made: Sequence[Made], measured: Mapping[str, Any] | None) -> dict[str, Any]:
    """The fields of `Exported` for files that were published; the first took the name of `out`."""
    return {
        "architecture": spec.name,
        "precision": made[0].precision,
        "tflite": out,
        "files": {each.precision: out.parent / each.file for each in made},
        "size_bytes": len(made[0].tflite),
        "sha256": hashlib.sha256(made[0].tflite).hexdigest(),
        "measured": measured,
    }


def papers(
    card: Mapping[str, Any], out: Path, class_names: Sequence[str], template: str | None = None
) -> dict[str, bytes]:
    """Card and labels as files by name; `template` of the card to be read, where it is not a classifier's."""
    labels = f"{out.stem}.labels.txt"
    text = card_markdown(card, labels) if template is None else card_markdown(card, labels, template)
    return {f"{out.stem}.json": card_json(card), f"{out.stem}.md": text, labels: labels_text(class_names)}


def checked_precisions(precision: Precision, also: Sequence[Precision]) -> tuple[Precision, ...]:
    """Each once, that of the main file first."""
    for name in (precision, *also):
        if name not in PRECISIONS:
            raise unknown_name("precision", name, PRECISIONS)
    return tuple(dict.fromkeys((precision, *also)))


def file_name(out: Path, precision: Precision, main: Precision) -> str:
    """The name of one precision's file: that of `out` for the main one, else `F-int8.tflite` and so on."""
    return out.name if precision == main else f"{out.stem}-{precision}{out.suffix}"
