"""Who takes part in a comparison: controllers and peers by label, with their options."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from searchspaces.errors import InputError, unknown_name

BASELINE = "random"
# A label is a folder's name too.
_LABEL = re.compile(r"[A-Za-z0-9][\w.:=+-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """A column of the comparison: a controller of ours or a peer, and its options.

    label: how it is shown, and where its seeds are kept.
    """

    label: str
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _LABEL.fullmatch(self.label):
            raise InputError(
                f"controllers: expected a label of letters, digits and . : = + - _, got {self.label!r}; "
                "write for example evolution-16."
            )

    @property
    def section(self) -> dict[str, Any]:
        """As the section `controller` of a search file."""
        return {"name": self.name, **self.options}


def read_entrants(texts: Sequence[str], described: Mapping[str, Any], known: Sequence[str]) -> tuple[Entrant, ...]:
    """The entrants of a command line and a file; random search is always among them, first.

    Args:
        texts: labels of `described`, names, or names with options: ``evolution:population=16:tournament=4``. Without
            any, everything that is described takes part.
        described: label to a name, or to a mapping with `name` and options.
        known: every name there is.
    """
    entrants = {label: _described(label, value) for label, value in described.items()}
    chosen: dict[str, Entrant] = {}
    for text in [text.strip() for text in texts] or list(entrants):
        name = entrants[text].name if text in entrants else text.partition(":")[0]
        if name not in known:
            raise unknown_name("controller", name, [*entrants, *known])
        entrant = entrants[text] if text in entrants else _written(text)
        if entrant.label in chosen:
            raise InputError(f"controllers: expected each once, got {text} twice; drop one.")
        chosen[entrant.label] = entrant
    if not any(entrant.name == BASELINE for entrant in chosen.values()):
        chosen = {BASELINE: Entrant(label=BASELINE, name=BASELINE), **chosen}
    return tuple(chosen.values())


def _written(text: str) -> Entrant:
    """``name:option=value:…``; values are read as YAML."""
    name, *parts = text.split(":")
    options: dict[str, Any] = {}
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals or not key:
            raise InputError(
                f"controllers: expected name:option=value, got {text!r}; write for example evolution:population=16."
            )
        try:
            options[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(f"controllers: {text!r}: {value!r} is no value; write for example 16.") from error
    return Entrant(label=text, name=name, options=options)


def _described(label: str, value: Any) -> Entrant:
    section = {"name": label} if value is None else {"name": value} if isinstance(value, str) else value
    if not isinstance(section, Mapping) or not isinstance(section.get("name", label), str):
        raise InputError(
            f"compare.controllers.{label}: expected a name or a mapping with name and options, got {value!r}; "
            "write for example evolution-16: {name: evolution, population: 16}."
        )
    options = {str(key): item for key, item in section.items() if key != "name"}
    return Entrant(label=str(label), name=section.get("name", label), options=options)
