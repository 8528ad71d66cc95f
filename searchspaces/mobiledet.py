"""MobileDets (Xiong, Liu et al., CVPR 2021): detectors whose backbones mix bottlenecks of three kinds.

A stem, then seven groups of 1, 4, 4, 4, 4, 4 and 1 layers, of which a group keeps the first `depth`; every layer has
its own kind, kernel and ratios, every group its width. Strides of 2 are in the stem and where groups 2, 3, 4 and 6
begin; a group's first layer has no residual. On top stands a fixed SSDLite head with `classes` + 1 scores an anchor.

Three spaces, each of more kinds than the one before: `mobiledet-ibn` (inverted bottlenecks), `mobiledet-fused` (and
fused ones) and `mobiledet-tdb` (and Tucker ones: "tensor-decomposition-based"). The code of the search was never
published. The layout is read off the released networks; the lists of kernels, expansions, ratios, base widths and
multipliers are UNCONFIRMED, though every released network is a point of them.

Widths are absolute, so that one network has one id: a base width times 0.5, 0.625, 0.75, 1, 1.25, 1.5 and 2, rounded
to multiples of 8. The released GPU network has multiples of 32 instead; the one width of it that this does not give,
128, is an option of its groups 4, 5 and 6. Where Tucker bottlenecks are, group 1 has no width 8, since both of their
ratios round to the same there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, TypedDict

from searchspaces.blocks import Block, ConvBlock, Endpoints, ExtraMap, FusedMBConv, MBConv, SSDLiteHead, TuckerConv
from searchspaces.errors import InputError
from searchspaces.layers import ActivationName, Shape
from searchspaces.mobiledet_nets import CPU, DSP, EDGETPU, GPU
from searchspaces.space import Architecture, Choice, Reference, SearchSpace, Value
from searchspaces.spec import NetworkSpec

INPUT_SHAPE = (320, 320, 3)
COCO_CLASSES = 90

_MULTIPLIERS = (0.5, 0.625, 0.75, 1.0, 1.25, 1.5, 2.0)
_STEM_WIDTH, _GROUP_WIDTHS = 32, (16, 32, 48, 96, 96, 160, 192)
_GPU_WIDTH, _GPU_GROUPS = 128, (4, 5, 6)
_DEPTHS = (1, 4, 4, 4, 4, 4, 1)
_STRIDES = (1, 2, 2, 2, 1, 2, 1)
# The last groups before the resolution halves: C1 to C5.
_ENDPOINT_GROUPS = (1, 2, 3, 5, 7)
_KERNELS = (3, 5)
_EXPANSIONS = (4, 8)
_RATIOS = (0.25, 0.75)
# The batch norm of the object detection code in which the networks were trained.
_BN_EPSILON = 0.01
_BACKBONE_STRIDE = 32
_EXTRA_FILTERS = (512, 256, 256, 128)
_FIRST_ANCHORS, _ANCHORS = 3, 6


def round8(width: float) -> int:
    """The nearest multiple of 8, halves up, and 8 at least."""
    return max(8, 8 * int(width / 8 + 0.5))


def _widths(base: int) -> set[int]:
    return {round8(base * multiplier) for multiplier in _MULTIPLIERS}


def _choices(kinds: tuple[str, ...]) -> tuple[Choice, ...]:
    choices = [
        Choice(name="head", values=("ssdlite", "none")),
        Choice(name="activation", values=("relu6", "hard_silu")),
        Choice(name="se_ratio", values=(0.0, 0.25)),
        Choice(name="stem", values=tuple(sorted(_widths(_STEM_WIDTH)))),
    ]
    for group, (base, depth) in enumerate(zip(_GROUP_WIDTHS, _DEPTHS, strict=True), start=1):
        widths = _widths(base) | ({_GPU_WIDTH} if group in _GPU_GROUPS else set())
        if group == 1 and "tucker" in kinds:
            widths -= {8}
        choices.append(Choice(name=f"width_{group}", values=tuple(sorted(widths))))
        if depth > 1:
            choices.append(Choice(name=f"depth_{group}", values=tuple(range(1, depth + 1))))
        for layer in range(1, depth + 1):
            choices += _layer_choices(kinds, group, layer, depth)
    return tuple(choices)


def _layer_choices(kinds: tuple[str, ...], group: int, layer: int, depth: int) -> list[Choice]:
    """A layer's kind, kernel and ratios; what a shallower group or another kind leaves out hangs on depth and kind."""
    at = f"{group}_{layer}"
    parent = f"depth_{group}" if layer > 1 else None
    when: tuple[Value, ...] = tuple(range(layer, depth + 1)) if layer > 1 else ()
    if len(kinds) == 1:
        kernel = Choice(name=f"kernel_{at}", values=_KERNELS, parent=parent, when=when)
        expansion = Choice(name=f"expansion_{at}", values=_EXPANSIONS, parent=parent, when=when)
        return [kernel] if group == 1 else [kernel, expansion]
    expanding = tuple(kind for kind in kinds if kind == "fused" or (kind == "ibn" and group > 1))
    choices = [
        Choice(name=f"kind_{at}", values=kinds, parent=parent, when=when),
        Choice(name=f"kernel_{at}", values=_KERNELS, parent=parent, when=when),
        Choice(name=f"expansion_{at}", values=_EXPANSIONS, parent=f"kind_{at}", when=expanding),
    ]
    if "tucker" in kinds:
        names = (f"input_ratio_{at}", f"output_ratio_{at}")
        choices += [Choice(name=name, values=_RATIOS, parent=f"kind_{at}", when=("tucker",)) for name in names]
    return choices


def _references(
    choices: Sequence[Choice], style: Mapping[str, Value], **backbones: Mapping[str, Value]
) -> dict[str, Reference]:
    """Each network with its head under its name, and without under its name and `-backbone`."""
    names = {choice.name for choice in choices}
    found = {}
    for name, backbone in backbones.items():
        for suffix, head in (("", "ssdlite"), ("-backbone", "none")):
            values = {"head": head, **style, **{choice: value for choice, value in backbone.items() if choice in names}}
            found[f"mobiledet-{name}{suffix}"] = Reference(values=values, input_shape=INPUT_SHAPE, classes=COCO_CLASSES)
    return found


class _MobileDet(SearchSpace):
    """What the three spaces share: `head`, `activation` and `se_ratio` are pinned, here or by the caller."""

    kinds: ClassVar[tuple[str, ...]]
    style: ClassVar[Mapping[str, Value]]

    def __init__(self, input_shape: Shape | None = None, classes: int | None = None, **pins: Value) -> None:
        if input_shape is not None and len(input_shape) != 3:
            raise InputError(
                f"input of space {self.name}: expected an image such as 320x320x3, got {input_shape}; "
                "use space tabnas for tables."
            )
        super().__init__(input_shape, classes, **{"head": "ssdlite", **self.style, **pins})

    def network(self, architecture: Architecture) -> NetworkSpec:
        """The detector, or with `head` none the backbone, whose outputs are its endpoints C1 to C5."""
        values = {name: value for name, value in self.values(architecture).items() if value is not None}
        input_shape = self.input_shape or INPUT_SHAPE
        activation: ActivationName = "hard_silu" if values["activation"] == "hard_silu" else "relu6"
        filters, ends = int(values["stem"]), {}
        blocks: list[Block] = [
            ConvBlock(name="stem", filters=filters, kernel=3, stride=2, activation=activation, bn_epsilon=_BN_EPSILON)
        ]
        for group, stride in enumerate(_STRIDES, start=1):
            width = int(values[f"width_{group}"])
            for layer in range(1, int(values.get(f"depth_{group}", 1)) + 1):
                at = f"{group}_{layer}"
                common = _Common(
                    name=f"group{at}",
                    filters=width,
                    kernel=int(values[f"kernel_{at}"]),
                    stride=stride if layer == 1 else 1,
                    activation=activation,
                    residual=layer > 1,
                    bn_epsilon=_BN_EPSILON,
                )
                blocks.append(_bottleneck(values, at, filters, common))
                filters = width
            ends[group] = blocks[-1].name
        if values["head"] == "none":
            blocks.append(Endpoints(maps=tuple(ends[group] for group in _ENDPOINT_GROUPS)))
        else:
            blocks += _ssdlite((ends[5], ends[7]), input_shape, self.classes or COCO_CLASSES)
        return NetworkSpec(name=architecture.id, input_shape=input_shape, blocks=tuple(blocks))


class _Common(TypedDict):
    """What bottlenecks of every kind are given."""

    name: str
    filters: int
    kernel: int
    stride: int
    activation: ActivationName
    residual: bool
    bn_epsilon: float


def _bottleneck(values: Mapping[str, Value], at: str, in_filters: int, common: _Common) -> Block:
    """The block that the choices of layer `at` stand for."""
    kind = values.get(f"kind_{at}", "ibn")
    if kind == "tucker":
        return TuckerConv(
            squeezed_filters=round8(float(values[f"input_ratio_{at}"]) * in_filters),
            inner_filters=round8(float(values[f"output_ratio_{at}"]) * common["filters"]),
            **common,
        )
    expanded, ratio = in_filters * int(values.get(f"expansion_{at}", 0)), float(values["se_ratio"])
    se_filters = round8(ratio * (expanded or in_filters)) if ratio else 0
    return (FusedMBConv if kind == "fused" else MBConv)(expanded_filters=expanded, se_filters=se_filters, **common)


def _ssdlite(maps: Sequence[str], input_shape: Shape, classes: int) -> list[Block]:
    """Extra maps after the backbone, at most four and none once a map has a single location, and the predictors."""
    side = max(-(-side // _BACKBONE_STRIDE) for side in input_shape[:2])
    extras: list[Block] = []
    while side > 1 and len(extras) < len(_EXTRA_FILTERS):
        extras.append(ExtraMap(name=f"extra_{len(extras) + 1}", filters=_EXTRA_FILTERS[len(extras)]))
        side = -(-side // 2)
    names = (*maps, *(extra.name for extra in extras))
    anchors = (_FIRST_ANCHORS, *[_ANCHORS] * (len(names) - 1))
    return [*extras, SSDLiteHead(maps=names, anchors=anchors, classes=classes)]


class MobileDetIBN(_MobileDet):
    """Inverted bottlenecks alone, with squeeze-and-excite and hard swish."""

    name: ClassVar[str] = "mobiledet-ibn"
    kinds = ("ibn",)
    style = MappingProxyType({"activation": "hard_silu", "se_ratio": 0.25})
    choices = _choices(kinds)
    references = _references(choices, style, cpu=CPU)


class MobileDetFused(_MobileDet):
    """Inverted and fused bottlenecks with ReLU6; no network of this space was released."""

    name: ClassVar[str] = "mobiledet-fused"
    kinds = (*MobileDetIBN.kinds, "fused")
    style = MappingProxyType({"activation": "relu6", "se_ratio": 0.0})
    choices = _choices(kinds)
    references = _references(choices, style)


class MobileDetTDB(_MobileDet):
    """Inverted, fused and Tucker bottlenecks with ReLU6."""

    name: ClassVar[str] = "mobiledet-tdb"
    kinds = (*MobileDetFused.kinds, "tucker")
    style = MobileDetFused.style
    choices = _choices(kinds)
    references = _references(choices, style, dsp=DSP, edgetpu=EDGETPU, gpu=GPU)
