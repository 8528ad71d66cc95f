"""MobileDets (Xiong, Liu et al., CVPR 2021): detectors whose backbones mix bottlenecks of three kinds.

A stem, then seven groups of 1, 4, 4, 4, 4, 4 and 1 layers, of which all but a group's first may be skipped; every layer
has its own kind, kernel and ratios, every group its width. Strides of 2 are in the stem and where groups 2, 3, 4 and 6
begin; a group's first layer has no residual. On top stands a fixed SSDLite head with `classes` + 1 scores an anchor.

Three spaces, each of more kinds than the one before: `mobiledet-ibn` (inverted bottlenecks), `mobiledet-fused` (and
fused ones) and `mobiledet-tdb` (and Tucker ones: "tensor-decomposition-based"). The code of the search was never
published. The layout is read off the released networks; the lists of kernels, expansions, ratios, base widths and
multipliers are UNCONFIRMED, though every released network is a point of them.

Widths are absolute. Those of the released GPU network are multiples of 32; the one among them that rounding to 8 does
not give, 128, is `unsearched`. Group 1 of `mobiledet-tdb` has no width 8: both ratios of a Tucker bottleneck round to
the same there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, TypedDict, cast

from searchspaces.blocks import Block, ConvBlock, Endpoints, ExtraMap, FusedMBConv, MBConv, SSDLiteHead, TuckerConv
from searchspaces.bottleneck_groups import scaling_choices
from searchspaces.image_space import ImageSpace
from searchspaces.layers import ActivationName
from searchspaces.mobiledet_nets import CPU, DSP, EDGETPU, GPU
from searchspaces.space import Architecture, Choice, Reference, Value
from searchspaces.spec import NetworkSpec
from searchspaces.widths import scale_filters, width_options

INPUT_SHAPE = (320, 320, 3)
COCO_CLASSES = 90

_STEM_WIDTH, _GROUP_WIDTHS = 32, (16, 32, 48, 96, 96, 160, 192)
_TDB_FIRST_WIDTHS = (16, 24, 32)
_GPU_WIDTH, _GPU_GROUPS = 128, (4, 5, 6)
_LAYERS = (1, 4, 4, 4, 4, 4, 1)
_STRIDES = (1, 2, 2, 2, 1, 2, 1)
# The last groups before the resolution halves: C1 to C5. The last two also feed the head.
_ENDPOINT_GROUPS = (1, 2, 3, 5, 7)
_KERNELS = (3, 5)
_EXPANSIONS = (4, 8)
_RATIOS = (0.25, 0.75)
# The batch norm of the object detection code in which the networks were trained.
_BN_EPSILON = 0.01
_EXTRA_FILTERS = (512, 256, 256, 128)
_FIRST_ANCHORS, _ANCHORS = 3, 6


def _choices(kinds: tuple[str, ...], style: Sequence[Choice]) -> tuple[Choice, ...]:
    choices = [
        Choice(name="head", values=("ssdlite",), unsearched=("none",)),
        *style,
        *scaling_choices(0.5, 0.25),
        Choice(name="stem", values=width_options(_STEM_WIDTH)),
    ]
    tdb = "tucker" in kinds
    for group, (base, layers) in enumerate(zip(_GROUP_WIDTHS, _LAYERS, strict=True), start=1):
        values = _TDB_FIRST_WIDTHS if tdb and group == 1 else width_options(base)
        unsearched = (_GPU_WIDTH,) if tdb and group in _GPU_GROUPS else ()
        choices.append(Choice(name=f"width_{group}", values=values, unsearched=unsearched))
        for layer in range(1, layers + 1):
            choices += _layer_choices(kinds, group, layer)
    return tuple(choices)


def _layer_choices(kinds: tuple[str, ...], group: int, layer: int) -> Iterator[Choice]:
    """`layer_2_3`, a kind or from the second on a skip, where there is more than one; and what hangs on the kind."""
    place = f"{group}_{layer}"
    options = (*kinds, "skip") if layer > 1 else kinds
    parent = f"layer_{place}" if len(options) > 1 else None
    if parent is not None:
        yield Choice(name=parent, values=options)
    # Group 1 has no expansion in its inverted bottlenecks.
    hanging = {
        "kernel": (_KERNELS, kinds),
        "expansion": (_EXPANSIONS, tuple(kind for kind in kinds if kind == "fused" or (kind == "ibn" and group > 1))),
        "input_ratio": (_RATIOS, tuple(kind for kind in kinds if kind == "tucker")),
        "output_ratio": (_RATIOS, tuple(kind for kind in kinds if kind == "tucker")),
    }
    for name, (values, owners) in hanging.items():
        if owners:
            when = owners if parent is not None else ()
            yield Choice(name=f"{name}_{place}", values=values, parent=parent, when=when)


def _references(choices: Sequence[Choice], **backbones: Mapping[str, Value]) -> dict[str, Reference]:
    """Each network with its head under its name, and without under its name and `-backbone`."""
    names = {choice.name for choice in choices}
    searched = {choice.name: choice.values[0] for choice in choices if choice.unsearched}
    found = {}
    for name, backbone in backbones.items():
        # Skips are listed for every group, and kinds for the space that has but one.
        values = {**searched, **{choice: value for choice, value in backbone.items() if choice in names}}
        for suffix, head in (("", "ssdlite"), ("-backbone", "none")):
            found[f"mobiledet-{name}{suffix}"] = Reference(
                values={**values, "head": head}, input_shape=INPUT_SHAPE, classes=COCO_CLASSES
            )
    return found


class _MobileDet(ImageSpace):
    """What the three spaces share."""

    small_images = {"stem_stride": 1}  # noqa: RUF012 (a constant of the space; widths are searched)

    def network(self, architecture: Architecture) -> NetworkSpec:
        """The detector, or with `head` none the backbone, whose outputs are its endpoints C1 to C5."""
        values = {name: value for name, value in self.values(architecture).items() if value is not None}
        input_shape, scale = self.input_shape or INPUT_SHAPE, float(values["width"])
        activation = cast(ActivationName, values["activation"])
        filters, stride = scale_filters(int(values["stem"]), scale), int(values["stem_stride"])
        blocks: list[Block] = [
            ConvBlock(
                name="stem", filters=filters, kernel=3, stride=stride, activation=activation, bn_epsilon=_BN_EPSILON
            )
        ]
        ends = {}
        for group, (layers, group_stride) in enumerate(zip(_LAYERS, _STRIDES, strict=True), start=1):
            width = scale_filters(int(values[f"width_{group}"]), scale)
            for layer in range(1, layers + 1):
                place = f"{group}_{layer}"
                if f"kernel_{place}" not in values:
                    continue
                common = _Common(
                    name=f"group{place}",
                    filters=width,
                    kernel=int(values[f"kernel_{place}"]),
                    stride=group_stride if layer == 1 else 1,
                    activation=activation,
                    residual=layer > 1,
                    bn_epsilon=_BN_EPSILON,
                )
                blocks.append(_bottleneck(values, place, filters, common))
                filters, ends[group] = width, common["name"]
            stride *= group_stride
        maps = tuple(ends[group] for group in _ENDPOINT_GROUPS)
        if values["head"] == "none":
            blocks.append(Endpoints(maps=maps))
        else:
            side = -(-max(input_shape[:2]) // stride)
            blocks += _ssdlite(maps[-2:], side, scale, self.classes or COCO_CLASSES)
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


def _bottleneck(values: Mapping[str, Value], place: str, in_filters: int, common: _Common) -> Block:
    """The block that the choices of a layer stand for."""
    kind = values.get(f"layer_{place}", "ibn")
    if kind == "tucker":
        return TuckerConv(
            squeezed_filters=scale_filters(in_filters, float(values[f"input_ratio_{place}"])),
            inner_filters=scale_filters(common["filters"], float(values[f"output_ratio_{place}"])),
            **common,
        )
    expanded, ratio = in_filters * int(values.get(f"expansion_{place}", 0)), float(values["se_ratio"])
    se_filters = scale_filters(expanded or in_filters, ratio) if ratio else 0
    return (FusedMBConv if kind == "fused" else MBConv)(expanded_filters=expanded, se_filters=se_filters, **common)


def _ssdlite(maps: Sequence[str], side: int, scale: float, classes: int) -> list[Block]:
    """Extra maps after the last of `side`, at most four and none once a map has a single place; and the predictors."""
    extras: list[Block] = []
    while side > 1 and len(extras) < len(_EXTRA_FILTERS):
        filters = scale_filters(_EXTRA_FILTERS[len(extras)], scale)
        extras.append(ExtraMap(name=f"extra_{len(extras) + 1}", filters=filters))
        side = -(-side // 2)
    names = (*maps, *(extra.name for extra in extras))
    anchors = (_FIRST_ANCHORS, *[_ANCHORS] * (len(names) - 1))
    return [*extras, SSDLiteHead(maps=names, anchors=anchors, classes=classes)]


_CPU_STYLE = (
    Choice(name="activation", values=("hard_silu",), unsearched=("relu6",)),
    Choice(name="se_ratio", values=(0.25,), unsearched=(0.0,)),
)
_ACCELERATOR_STYLE = (
    Choice(name="activation", values=("relu6",), unsearched=("hard_silu",)),
    Choice(name="se_ratio", values=(0.0,), unsearched=(0.25,)),
)


class MobileDetIBN(_MobileDet):
    """Inverted bottlenecks alone, with squeeze-and-excite and hard swish."""

    name: ClassVar[str] = "mobiledet-ibn"
    choices = _choices(("ibn",), _CPU_STYLE)
    references = _references(choices, cpu=CPU)


class MobileDetFused(_MobileDet):
    """Inverted and fused bottlenecks with ReLU6; no network of this space was released."""

    name: ClassVar[str] = "mobiledet-fused"
    choices = _choices(("ibn", "fused"), _ACCELERATOR_STYLE)
    references = {}  # noqa: RUF012 (a constant of the space)


class MobileDetTDB(_MobileDet):
    """Inverted, fused and Tucker bottlenecks with ReLU6."""

    name: ClassVar[str] = "mobiledet-tdb"
    choices = _choices(("ibn", "fused", "tucker"), _ACCELERATOR_STYLE)
    references = _references(choices, dsp=DSP, edgetpu=EDGETPU, gpu=GPU)
