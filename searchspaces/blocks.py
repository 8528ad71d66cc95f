"""The block vocabulary: what a row of a paper's table says, with every number in it.

A block expands into primitive layers; cost, Keras and TFLite all follow from that expansion, so a new block
is one class here and nothing elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, ClassVar, Protocol, get_args

from searchspaces import layers
from searchspaces.errors import InputError, unknown_name
from searchspaces.graph import GraphBuilder
from searchspaces.layers import ActivationName


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


class _Checked:
    """Refuses numbers that make no layer, where the block is written down."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            rule = _RULES.get(field.name)
            if rule is not None and not rule[0](value):
                name = getattr(self, "name", "?")
                raise InputError(f"{field.name} of block {name}: expected {rule[1]}, got {value!r}; correct it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RescaleBlock(_Checked):
    """Preprocessing that travels inside the network: ``x * scale + offset``."""

    name: str = "rescale"
    scale: tuple[float, ...]
    offset: tuple[float, ...]

    def expand(self, graph: GraphBuilder, x: int) -> int:
        return graph.add("affine", layers.Rescale(scale=self.scale, offset=self.offset), x)

    def label(self) -> str:
        return "rescale"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvBlock(_Checked):
    """Convolution, batch norm, activation."""

    name: str
    filters: int
    kernel: int
    stride: int = 1
    activation: ActivationName | None = "relu"

    def expand(self, graph: GraphBuilder, x: int) -> int:
        x = graph.add("conv", layers.Conv2D(filters=self.filters, kernel=self.kernel, stride=self.stride), x)
        x = graph.add("bn", layers.BatchNorm(), x)
        return _activate(graph, self.activation, x)

    def label(self) -> str:
        return f"conv {self.kernel}×{self.kernel}{_stride(self.stride)} → {self.filters}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MBConv(_Checked):
    """Inverted bottleneck (MobileNetV2), with squeeze-and-excite where `se_filters` is above 0.

    The residual is added where stride and width allow it; `zero_gamma` starts its branch at zero (BigNAS §3).
    """

    name: str
    filters: int
    expansion: int
    kernel: int
    stride: int = 1
    activation: ActivationName = "silu"
    se_filters: int = 0
    drop_connect: float = 0.0
    zero_gamma: bool = False

    def expand(self, graph: GraphBuilder, x: int) -> int:
        skip, in_filters = x, graph.shape(x)[-1]
        if self.expansion > 1:
            x = graph.add("expand", layers.Conv2D(filters=in_filters * self.expansion, kernel=1), x)
            x = graph.add("expand_bn", layers.BatchNorm(), x)
            x = _activate(graph, self.activation, x, "expand_act")
        x = graph.add("depthwise", layers.DepthwiseConv2D(kernel=self.kernel, stride=self.stride), x)
        x = graph.add("depthwise_bn", layers.BatchNorm(), x)
        x = _activate(graph, self.activation, x, "depthwise_act")
        if self.se_filters:
            x = _squeeze_excite(graph, x, self.se_filters, self.activation)
        residual = self.stride == 1 and in_filters == self.filters
        x = graph.add("project", layers.Conv2D(filters=self.filters, kernel=1), x)
        x = graph.add("project_bn", layers.BatchNorm(zero_gamma=self.zero_gamma and residual), x)
        if not residual:
            return x
        if self.drop_connect:
            x = graph.add("drop", layers.Dropout(rate=self.drop_connect, whole_example=True), x)
        return graph.add("add", layers.Add(), x, skip)

    def label(self) -> str:
        se = " SE" if self.se_filters else ""
        return f"MBConv {self.expansion}× k{self.kernel}{_stride(self.stride)}{se} → {self.filters}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolBlock(_Checked):
    """Global average pooling."""

    name: str = "pool"

    def expand(self, graph: GraphBuilder, x: int) -> int:
        return graph.add("mean", layers.GlobalAveragePool(), x)

    def label(self) -> str:
        return "global average pool"


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseBlock(_Checked):
    """Fully connected layer with bias, and its activation."""

    name: str
    units: int
    activation: ActivationName | None = None
    dropout: float = 0.0

    def expand(self, graph: GraphBuilder, x: int) -> int:
        if self.dropout:
            x = graph.add("dropout", layers.Dropout(rate=self.dropout), x)
        x = graph.add("dense", layers.Dense(units=self.units), x)
        return _activate(graph, self.activation, x)

    def label(self) -> str:
        return f"dense → {self.units}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftmaxBlock(_Checked):
    """Class probabilities from logits; training stops short of it."""

    name: str = "probabilities"

    def expand(self, graph: GraphBuilder, x: int) -> int:
        return graph.add("softmax", layers.Activation(name="softmax"), x)

    def label(self) -> str:
        return "softmax"


_KINDS: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (RescaleBlock, ConvBlock, MBConv, PoolBlock, DenseBlock, SoftmaxBlock)
}


def block_to_dict(block: Block) -> dict[str, Any]:
    """The block as JSON-able data, its class name under ``kind``."""
    return {"kind": type(block).__name__, **asdict(block)}


def block_from_dict(data: Mapping[str, Any]) -> Block:
    """The block that `block_to_dict` wrote down."""
    if not isinstance(data, Mapping):
        raise InputError(f"block: expected a mapping with its kind and numbers, got {data!r}; see a written network.")
    kind = data.get("kind")
    if kind not in _KINDS:
        raise unknown_name("block kind", kind, _KINDS)
    known = {field.name for field in fields(_KINDS[kind])}
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items() if key != "kind"}
    if unknown := set(given) - known:
        raise InputError(f"block {kind}: expected fields {sorted(known)}, got {sorted(unknown)}; remove them.")
    needed = {field.name for field in fields(_KINDS[kind]) if field.default is MISSING}
    if missing := needed - set(given):
        raise InputError(f"block {kind}: expected fields {sorted(missing)}, which are missing; add them.")
    block: Block = _KINDS[kind](**given)
    return block


def _is_count(value: object, least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_rate(value: object) -> bool:
    return isinstance(value, (int, float)) and 0 <= value < 1


_ACTIVATIONS = get_args(ActivationName)
_COUNT = (_is_count, "a whole number above 0")
_RATE = (_is_rate, "0 to below 1")
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "activation": (lambda value: value is None or value in _ACTIVATIONS, f"one of {_ACTIVATIONS}"),
    "drop_connect": _RATE,
    "dropout": _RATE,
    "expansion": _COUNT,
    "filters": _COUNT,
    "kernel": _COUNT,
    "name": (lambda value: isinstance(value, str) and bool(value), "a name"),
    "se_filters": (lambda value: _is_count(value, least=0), "a whole number, 0 or more"),
    "stride": _COUNT,
    "units": _COUNT,
}


def _activate(graph: GraphBuilder, name: ActivationName | None, x: int, node: str = "act") -> int:
    return x if name is None else graph.add(node, layers.Activation(name=name), x)


def _squeeze_excite(graph: GraphBuilder, x: int, filters: int, activation: ActivationName) -> int:
    """Channel gate from the pooled map: 1x1 convolutions down to `filters` and back up."""
    gate = graph.add("se_pool", layers.GlobalAveragePool(keep_dims=True), x)
    gate = graph.add("se_reduce", layers.Conv2D(filters=filters, kernel=1, use_bias=True), gate)
    gate = _activate(graph, activation, gate, "se_act")
    gate = graph.add("se_expand", layers.Conv2D(filters=graph.shape(x)[-1], kernel=1, use_bias=True), gate)
    gate = graph.add("se_gate", layers.Activation(name="sigmoid"), gate)
    return graph.add("se_scale", layers.Multiply(), x, gate)


def _stride(stride: int) -> str:
    return f" s{stride}" if stride > 1 else ""
