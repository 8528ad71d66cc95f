"""What every block is, and the numbers that no block may hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol, get_args

from searchspaces.errors import InputError
from searchspaces.graph import GraphBuilder
from searchspaces.layers import Activation, ActivationName


class Block(Protocol):
    """A named group of layers with one input and one output."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def name(self) -> str:
        """What its layers' names begin with; distinct within a network."""
        ...

    def expand(self, graph: GraphBuilder, x: int) -> int:
        """Add this block's layers after node `x`; returns the node that comes out."""
        ...

    def label(self) -> str:
        """A few words for diagrams."""
        ...


class Checked:
    """Refuses numbers that make no layer, where the block is written down."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __post_init__(self) -> None:
        for field in self.__dataclass_fields__:
            rule = _RULES.get(field)
            if rule is not None and not rule[0](value := getattr(self, field)):
                name = getattr(self, "name", "?")
                raise InputError(f"{field} of block {name}: expected {rule[1]}, got {value!r}; correct it.")


def activate(graph: GraphBuilder, name: ActivationName | None, x: int, node: str = "act") -> int:
    """Add an activation after node `x`, where there is one."""
    return x if name is None else graph.add(node, _ACTIVATION_LAYERS[name], x)


def stride_label(stride: int) -> str:
    """A stride for labels; nothing where it is 1."""
    return f" s{stride}" if stride > 1 else ""


def _is_count(value: object, least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_each(value: object, rule: Callable[[object], bool]) -> bool:
    return isinstance(value, tuple) and bool(value) and all(map(rule, value))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_ACTIVATIONS: tuple[ActivationName, ...] = get_args(ActivationName)
_ACTIVATION_LAYERS = {name: Activation(name=name) for name in _ACTIVATIONS}
_ACTIVATION = (lambda value: value is None or value in _ACTIVATIONS, f"one of {_ACTIVATIONS}")
_COUNT = (_is_count, "a whole number above 0")
_COUNT_OR_NONE = (lambda value: _is_count(value, least=0), "a whole number, 0 or more")
_RATE = (lambda value: _is_number(value) and 0 <= value < 1, "0 to below 1")
_YES_OR_NO = (lambda value: isinstance(value, bool), "true or false")
_NAME = (lambda value: isinstance(value, str) and bool(value), "a name")
_NAMES = (lambda value: _is_each(value, _NAME[0]), "a list of names")
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "activation": _ACTIVATION,
    "anchors": (lambda value: _is_each(value, _is_count), "a list of whole numbers above 0"),
    "batch_norm": _YES_OR_NO,
    "causal": _YES_OR_NO,
    "cell_ops": _NAMES,
    "bn_epsilon": (lambda value: _is_number(value) and 0 < value < 1, "a number above 0 and below 1"),
    "classes": _COUNT,
    "drop_connect": _RATE,
    "dropout": _RATE,
    "expanded_filters": _COUNT_OR_NONE,
    "filters": _COUNT,
    "inner_filters": _COUNT,
    "kernel": _COUNT,
    "kernel_frames": _COUNT,
    "maps": _NAMES,
    "name": _NAME,
    "positional": _YES_OR_NO,
    "residual": _YES_OR_NO,
    "se_activation": _ACTIVATION,
    "se_filters": _COUNT_OR_NONE,
    "se_gate": (lambda value: value in ("sigmoid", "hard_sigmoid"), "sigmoid or hard_sigmoid"),
    "squeezed_filters": _COUNT,
    "stride": _COUNT,
    "units": _COUNT,
    "zero_gamma": _YES_OR_NO,
}
