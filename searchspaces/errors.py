"""The few errors of the house: each says what the caller, or the command line, should do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """What the user gave cannot be used; the command line ends with status 2."""


class NoResultError(RuntimeError):
    """The work ended without a result (nothing feasible, a gate refused); status 1."""


class MissingError(RuntimeError):
    """Something of the environment is missing (a device, a runtime, a server); status 3."""


def unknown_name(kind: str, given: object, known: Iterable[str]) -> InputError:
    """An `InputError` for a name that is not known, with the nearest known one."""
    names = sorted(known)
    near = difflib.get_close_matches(str(given), names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names) or 'none'}."
    return InputError(f"{kind}: expected one of {len(names)} known names, got {given!r}; {hint}")
