"""BigNAS (Yu, Jin, Liu et al., ECCV 2020): MBConv stages with SE and swish, in the family of EfficientNet-B0.

Widths, depths and kernels are chosen once a stage (2.36e8 networks). Two more choices scale the table for small
images: `width` multiplies every channel count (all stay whole numbers) and `stem_stride` keeps the resolution of the
first map. They are pinned to the paper's 1.0 and 2, and to 0.25 and 1 where the longer side is under 96 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from searchspaces.blocks import Block, ConvBlock, DenseBlock, MBConv, PoolBlock, SoftmaxBlock
from searchspaces.image_space import ImageSpace
from searchspaces.space import Architecture, Choice, Reference, Value
from searchspaces.spec import NetworkSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    kernels: tuple[int, ...]
    expansion: int
    stride: int


_STEM_WIDTHS = (32, 40)
_HEAD_WIDTHS = (1280, 1408)
_STAGES = (
    _Stage(widths=(16, 24), depths=(1, 2), kernels=(3,), expansion=1, stride=1),
    _Stage(widths=(24, 32), depths=(2, 3), kernels=(3,), expansion=6, stride=2),
    _Stage(widths=(40, 48), depths=(2, 3), kernels=(3, 5), expansion=6, stride=2),
    _Stage(widths=(80, 88), depths=(2, 3, 4), kernels=(3, 5), expansion=6, stride=2),
    _Stage(widths=(112, 120, 128), depths=(2, 3, 4, 5, 6), kernels=(3, 5), expansion=6, stride=1),
    _Stage(widths=(192, 200, 208, 216), depths=(2, 3, 4, 5, 6), kernels=(3, 5), expansion=6, stride=2),
    _Stage(widths=(320, 352), depths=(1, 2), kernels=(3, 5), expansion=6, stride=1),
)


def _choices() -> tuple[Choice, ...]:
    choices = [
        Choice(name="resolution", values=(192, 224, 288, 320)),
        Choice(name="width", values=(1.0, 0.5, 0.25)),
        Choice(name="stem_stride", values=(2, 1)),
        Choice(name="stem", values=_STEM_WIDTHS),
    ]
    for number, stage in enumerate(_STAGES, start=1):
        choices.append(Choice(name=f"width_{number}", values=stage.widths))
        choices.append(Choice(name=f"depth_{number}", values=stage.depths))
        if len(stage.kernels) > 1:
            choices.append(Choice(name=f"kernel_{number}", values=stage.kernels))
    return (*choices, Choice(name="head", values=_HEAD_WIDTHS))


def _reference(
    resolution: int,
    stem: int,
    widths: tuple[int, ...],
    depths: tuple[int, ...],
    kernels: tuple[int, ...],
    head: int,
) -> Reference:
    values: dict[str, Value] = {
        "resolution": resolution,
        "width": 1.0,
        "stem_stride": 2,
        "stem": stem,
        "head": head,
    }
    for number, stage in enumerate(_STAGES, start=1):
        values[f"width_{number}"] = widths[number - 1]
        values[f"depth_{number}"] = depths[number - 1]
        if len(stage.kernels) > 1:
            values[f"kernel_{number}"] = kernels[number - 1]
    return Reference(values=values, input_shape=(resolution, resolution, 3), classes=1000)


class BigNAS(ImageSpace):
    """The BigNAS space for any image size and class count."""

    name: ClassVar[str] = "bignas"
    choices = _choices()
    references = {  # noqa: RUF012 (a constant of the space)
        "bignas-min": _reference(192, 32, (16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 2, 2, 2, 1), (3,) * 7, head=1280),
        "bignas-max": _reference(
            320, 40, (24, 32, 48, 88, 128, 216, 352), (2, 3, 3, 4, 6, 6, 2), (3, 3, 5, 5, 5, 5, 5), head=1408
        ),
        "efficientnet-b0": _reference(
            224, 32, (16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 3, 3, 4, 1), (3, 3, 5, 3, 5, 5, 3), head=1280
        ),
    }

    def _is_blanked(self, column: int) -> bool:
        return self.input_shape is not None and self.choices[column].name == "resolution"

    def network(self, architecture: Architecture) -> NetworkSpec:
        """The MBConv network: SE hidden width is a quarter of each block's input width (EfficientNet's rule)."""
        values = {name: value for name, value in self.values(architecture).items() if value is not None}
        scale = float(values["width"])
        side = int(values.get("resolution", 0))
        filters = int(int(values["stem"]) * scale)
        blocks: list[Block] = [
            ConvBlock(name="stem", filters=filters, kernel=3, stride=int(values["stem_stride"]), activation="silu")
        ]
        for number, stage in enumerate(_STAGES, start=1):
            width, depth = int(int(values[f"width_{number}"]) * scale), int(values[f"depth_{number}"])
            for layer in range(depth):
                blocks.append(
                    MBConv(
                        name=f"stage{number}_{layer + 1}",
                        filters=width,
                        expanded_filters=filters * stage.expansion if stage.expansion > 1 else 0,
                        kernel=int(values.get(f"kernel_{number}", 3)),
                        stride=stage.stride if layer == 0 else 1,
                        se_filters=max(1, filters // 4),
                        zero_gamma=True,
                    )
                )
                filters = width
        head = int(int(values["head"]) * scale)
        blocks.append(ConvBlock(name="head", filters=head, kernel=1, activation="silu"))
        blocks += [PoolBlock(), DenseBlock(name="classifier", units=self.classes or 1000), SoftmaxBlock()]
        return NetworkSpec(name=architecture.id, input_shape=self.input_shape or (side, side, 3), blocks=tuple(blocks))
