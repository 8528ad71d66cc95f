"""Options from a file, checked against the signature they are meant for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from searchspaces.errors import InputError, unknown_name

_PLAIN = (int, float, str, bool)


def call_with_options(what: str, function: Callable[..., Any], options: Mapping[str, Any], *positional: Any) -> Any:
    """Call `function` with keyword options whose names and plain types its signature knows.

    Raises:
        InputError: an unknown option (with the nearest known one), one that is missing, or a value of another type.
    """
    check_options(what, function, options)
    return function(*positional, **options)


def check_options(what: str, function: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Raise what `call_with_options` would raise before it calls."""
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    hints = get_type_hints(function.__init__ if inspect.isclass(function) else function)
    for name, value in options.items():
        if name not in parameters:
            raise unknown_name(f"option of {what}", name, parameters)
        expected = hints.get(name)
        if expected in _PLAIN and not _fits(value, expected):
            default = parameters[name].default
            hint = "write one" if default is inspect.Parameter.empty else f"the default is {default!r}"
            raise InputError(f"{what}: expected {name} as {expected.__name__}, got {value!r}; {hint}.")
    for name, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty and name not in options:
            raise InputError(f"{what}: expected the option {name}, got {sorted(options) or 'none'}; add {name}.")


def _fits(value: Any, expected: type) -> bool:
    if isinstance(value, bool):
        return expected is bool
    return isinstance(value, int | float) if expected is float else isinstance(value, expected)
