"""MoViNets (Kondratyuk, Yuan, Li et al., CVPR 2021): video networks, for whole clips or frame by frame.

Five blocks of bottlenecks whose depthwise kernels reach over time and space. `form` is base (three-dimensional kernels,
the whole clip at once) or stream (causal, kernels in 2+1 dimensions, runs a frame a call).

Widths and expanded widths are the seed's base widths times the multipliers, rounded to 8; the multipliers of widths,
the depths to ten and the layout are the paper's, known at second hand; its lists of kernels and expansions are
unconfirmed. The released networks were scaled from what was found: their widths, depths above ten, clips and details
are `unsearched` values. So are `width` and `stem_stride` for small frames. `form` is pinned to base unless asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from searchspaces.blocks import Block, ClipPoolBlock, ConvBlock, DenseBlock, SoftmaxBlock, VideoMBConv
from searchspaces.errors import InputError
from searchspaces.layers import ActivationName, Shape
from searchspaces.movinet_released import RELEASED, Released
from searchspaces.space import Architecture, Choice, Reference, SearchSpace, Value
from searchspaces.spec import NetworkSpec
from searchspaces.widths import make_divisible, scale_filters

SMALL_FRAME_SIDE = 96
BLOCKS = 5
# The seed that was searched: stem, blocks, head.
_SEED_STEM, _SEED_WIDTHS, _SEED_HEAD = 16, (24, 48, 96, 96, 192), 512
_MULTIPLIERS = (0.75, 1.0, 1.25)
_EXPANSIONS = (1.5, 2.0, 2.5, 3.0, 3.5, 4.0)
_KERNELS = ("1x3x3", "1x5x5", "1x7x7", "5x1x1", "7x1x1", "3x3x3", "5x3x3")
_STRIDES = (2, 2, 2, 1, 2)
_SEARCHED_DEPTH = 10
_DROP_CONNECT = 0.2


def _widths(name: str, base: int, multipliers: tuple[float, ...], released: set[int], **hangs: Any) -> Choice:
    """A choice of channel counts: multiples of the seed's, and those of the released networks, which none draws."""
    values = {scale_filters(base, multiplier) for multiplier in multipliers}
    return Choice(name=name, values=tuple(sorted(values)), unsearched=tuple(sorted(released - values)), **hangs)


def _block_choices(block: int) -> list[Choice]:
    nets, number, base = RELEASED.values(), block + 1, _SEED_WIDTHS[block]
    searched = tuple(range(1, _SEARCHED_DEPTH + 1))
    deeper = tuple(sorted({len(net.layers[block]) for net in nets} - set(searched)))
    expanded = {width for net in nets for width, _ in net.layers[block]}
    choices = [
        _widths(f"width_{number}", base, _MULTIPLIERS, {net.widths[block] for net in nets}),
        Choice(name=f"depth_{number}", values=searched, unsearched=deeper),
    ]
    for layer in range(1, max(searched + deeper) + 1):
        hangs: dict[str, Any] = {
            "parent": f"depth_{number}",
            "when": tuple(depth for depth in searched + deeper if depth >= layer),
        }
        choices.append(Choice(name=f"kernel_{number}_{layer}", values=_KERNELS, **hangs))
        choices.append(_widths(f"expanded_{number}_{layer}", base, _EXPANSIONS, expanded, **hangs))
    return choices


def _choices() -> tuple[Choice, ...]:
    nets = RELEASED.values()
    seed = RELEASED["a2"].input_shape
    frames, sides = ({net.input_shape[axis] for net in nets} - {seed[axis]} for axis in (0, 1))
    return (
        Choice(name="form", values=("base", "stream")),
        Choice(name="frames", values=seed[:1], unsearched=tuple(sorted(frames))),
        Choice(name="resolution", values=seed[1:2], unsearched=tuple(sorted(sides))),
        Choice(name="width", values=(1.0,), unsearched=(0.5, 0.25)),
        Choice(name="stem_stride", values=(2,), unsearched=(1,)),
        _widths("stem", _SEED_STEM, _MULTIPLIERS, {net.stem for net in nets}),
        *(choice for block in range(BLOCKS) for choice in _block_choices(block)),
        _widths("head", _SEED_HEAD, _MULTIPLIERS, {net.head for net in nets}),
        Choice(name="hidden", values=(2048,), unsearched=(1024,)),
        Choice(name="dropout", values=(0.2,), unsearched=(0.5,)),
        Choice(name="positional", values=("none",), unsearched=("sinusoidal",), parent="form", when=("stream",)),
    )


def _reference(net: Released, form: str) -> Reference:
    values: dict[str, Value] = {
        "form": form,
        "frames": net.input_shape[0],
        "resolution": net.input_shape[1],
        "width": 1.0,
        "stem_stride": 2,
        "stem": net.stem,
        "head": net.head,
        "hidden": net.hidden,
        "dropout": net.dropout,
    }
    if form == "stream":
        values["positional"] = "sinusoidal" if net.positional else "none"
    for number, (width, layers) in enumerate(zip(net.widths, net.layers, strict=True), start=1):
        values.update({f"width_{number}": width, f"depth_{number}": len(layers)})
        for layer, (expanded, kernel) in enumerate(layers, start=1):
            values.update({f"kernel_{number}_{layer}": kernel, f"expanded_{number}_{layer}": expanded})
    return Reference(values=values, input_shape=net.input_shape, classes=600, frames_per_second=net.frames_per_second)


def _references() -> Mapping[str, Reference]:
    base = {f"movinet-{name}": _reference(net, "base") for name, net in RELEASED.items()}
    return base | {f"movinet-{name}-stream": _reference(net, "stream") for name, net in RELEASED.items()}


class MoViNet(SearchSpace):
    """The MoViNet space for any clip shape and class count."""

    name: ClassVar[str] = "movinet"
    choices = _choices()
    references = _references()

    def __init__(self, input_shape: Shape | None = None, classes: int | None = None, **pins: Value) -> None:
        if input_shape is not None and len(input_shape) != 4:
            raise InputError(
                f"input of space movinet: expected a clip such as 50x172x172x3 (frames first), got {input_shape}; "
                "use space bignas for images."
            )
        small = input_shape is not None and max(input_shape[1:3]) < SMALL_FRAME_SIDE
        scale: dict[str, Value] = {"width": 0.25, "stem_stride": 1} if small else {"width": 1.0, "stem_stride": 2}
        super().__init__(input_shape, classes, **{"form": "base", **scale, **pins})

    def _is_blanked(self, column: int) -> bool:
        return self.input_shape is not None and self.choices[column].name in ("frames", "resolution")

    def network(self, architecture: Architecture) -> NetworkSpec:
        """The video network; a causal one is given in its form for clips, to be trained (`deployed` runs)."""
        values = {name: value for name, value in self.values(architecture).items() if value is not None}
        scale = float(values["width"])
        activation: ActivationName = "hard_silu" if values["form"] == "stream" else "silu"
        blocks: list[Block] = [
            ConvBlock(
                name="stem",
                filters=int(int(values["stem"]) * scale),
                kernel=3,
                stride=int(values["stem_stride"]),
                activation=activation,
            ),
            *_bottlenecks(values, scale, activation),
            ConvBlock(name="head", filters=int(int(values["head"]) * scale), kernel=1, activation=activation),
            ClipPoolBlock(),
            DenseBlock(name="hidden", units=int(int(values["hidden"]) * scale), activation=activation),
            DenseBlock(name="classifier", units=self.classes or 600, dropout=float(values["dropout"])),
            SoftmaxBlock(),
        ]
        side = int(values.get("resolution", 0))
        shape = self.input_shape or (int(values["frames"]), side, side, 3)
        return NetworkSpec(name=architecture.id, input_shape=shape, blocks=tuple(blocks))


def _bottlenecks(values: Mapping[str, Value], scale: float, activation: ActivationName) -> list[Block]:
    stream = values["form"] == "stream"
    depths = [int(values[f"depth_{number}"]) for number in range(1, BLOCKS + 1)]
    blocks: list[Block] = []
    for number, (depth, stride) in enumerate(zip(depths, _STRIDES, strict=True), start=1):
        for layer in range(1, depth + 1):
            kernel_frames, kernel, _ = map(int, str(values[f"kernel_{number}_{layer}"]).split("x"))
            expanded = int(int(values[f"expanded_{number}_{layer}"]) * scale)
            blocks.append(
                VideoMBConv(
                    name=f"block{number}_{layer}",
                    filters=int(int(values[f"width_{number}"]) * scale),
                    expanded_filters=expanded,
                    kernel_frames=kernel_frames,
                    kernel=kernel,
                    stride=stride if layer == 1 else 1,
                    activation=activation,
                    # The stream's gate sees two averages side by side.
                    se_filters=make_divisible((0.5 if stream else 0.25) * expanded),
                    se_gate="hard_sigmoid" if stream else "sigmoid",
                    causal=stream,
                    positional=values.get("positional") == "sinusoidal",
                    drop_connect=_DROP_CONNECT * (len(blocks) + 1) / sum(depths),
                )
            )
    return blocks
