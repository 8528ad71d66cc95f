"""Where each space lives, and how a name on the command line becomes a network."""

from __future__ import annotations

from dataclasses import dataclass

from searchspaces.accel_nasbench import AccelNASBench
from searchspaces.bignas import BigNAS
from searchspaces.errors import InputError, unknown_name
from searchspaces.layers import Shape
from searchspaces.mobiledet import MobileDetFused, MobileDetIBN, MobileDetTDB
from searchspaces.mobilenet_v3 import MobileNetV3
from searchspaces.movinet import MoViNet
from searchspaces.multi_hardware import MultiHardware
from searchspaces.nasbench201 import NASBench201, NASBench201Cells
from searchspaces.nasbench_macro import NASBenchMacro
from searchspaces.proxylessnas import ProxylessNAS
from searchspaces.proxylessnas_enlarged import ProxylessNASEnlarged
from searchspaces.space import Architecture, SearchSpace, Value
from searchspaces.spec import NetworkSpec
from searchspaces.tabnas import TabNAS

SPACES: dict[str, type[SearchSpace]] = {
    space.name: space
    for space in (
        AccelNASBench,
        BigNAS,
        MobileDetIBN,
        MobileDetFused,
        MobileDetTDB,
        MobileNetV3,
        MoViNet,
        MultiHardware,
        NASBench201,
        NASBench201Cells,
        NASBenchMacro,
        ProxylessNAS,
        ProxylessNASEnlarged,
        TabNAS,
    )
}

_SIDE_DIGITS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedNetwork:
    """A network with the name it was asked for and the architecture it is."""

    name: str
    space: SearchSpace
    architecture: Architecture
    spec: NetworkSpec


def create_space(name: str, input_shape: Shape | None = None, classes: int | None = None, **pins: Value) -> SearchSpace:
    """A space by name; further options pin choices by name."""
    if name not in SPACES:
        raise unknown_name("space", name, SPACES)
    return SPACES[name](input_shape, classes, **pins)


def reference_names() -> list[str]:
    """Every published network, of all spaces."""
    return [name for space in SPACES.values() for name in space.references]


def named_network(name: str, input_shape: Shape | None = None, classes: int | None = None) -> NamedNetwork:
    """The network of an architecture id or a reference name; the latter's published input and classes by default."""
    head = name.partition(":")[0]
    if head in SPACES and ":" in name:
        space = SPACES[head](input_shape, classes)
        architecture = space.parse(name)
        return NamedNetwork(name=name, space=space, architecture=architecture, spec=space.network(architecture))
    for kind in SPACES.values():
        if name in kind.references:
            reference = kind.references[name]
            space = kind(input_shape, classes or reference.classes)
            if input_shape is None and "resolution" not in reference.values:
                space = kind(reference.input_shape, classes or reference.classes)
            architecture = space.reference(name)
            return NamedNetwork(name=name, space=space, architecture=architecture, spec=space.network(architecture))
    if ":" in name:
        raise unknown_name("space", head, SPACES)
    raise unknown_name("network", name, [*reference_names(), *(f"{space}:…" for space in SPACES)])


def parse_shape(text: str) -> Shape:
    """A shape as written on the command line: ``32x32x3``, ``8x64x64x3`` (frames first) or ``54``."""
    parts = text.lower().split("x")
    if not all(part.isascii() and part.isdigit() and len(part) <= _SIDE_DIGITS and int(part) > 0 for part in parts):
        raise InputError(
            f"--input: expected sizes such as 32x32x3, 8x64x64x3 for clips, or 54, got {text!r}; separate them by x."
        )
    return tuple(int(part) for part in parts)
