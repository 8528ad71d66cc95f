"""The released MoViNets as tables: widths, layers, and the clips they were evaluated on."""

from __future__ import annotations

from dataclasses import dataclass

from searchspaces.layers import Shape

Layers = tuple[tuple[tuple[int, str], ...], ...]

_KERNELS = {"a": "1x5x5", "b": "3x3x3", "c": "5x3x3", "d": "1x3x3"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """One network: `layers` of a block are pairs of expanded width and kernel; `positional` holds for its stream form.

    `dropout` of the classifier is known of A0, A3 and A5; the others have that of their neighbours.
    """

    stem: int
    widths: tuple[int, ...]
    layers: Layers
    head: int
    hidden: int = 2048
    input_shape: Shape
    frames_per_second: float
    dropout: float = 0.2
    positional: bool = False


def _layers(*blocks: str) -> Layers:
    """Blocks as the release's tables are abbreviated: ``80b`` is expanded to 80 channels with kernel 3x3x3."""
    return tuple(tuple((int(word[:-1]), _KERNELS[word[-1]]) for word in block.split()) for block in blocks)


RELEASED: dict[str, Released] = {
    "t0": Released(
        stem=8,
        widths=(8, 32, 56, 56, 104),
        layers=_layers("16a", "72b 72a", "112c 112a 112b", "184c 184a 184b 184b", "344c 344a 344a 344b"),
        head=240,
        hidden=1024,
        input_shape=(50, 172, 172, 3),
        frames_per_second=5,
    ),
    "a0": Released(
        stem=8,
        widths=(8, 32, 56, 56, 104),
        layers=_layers("24a", "80b 80b 80b", "184c 112b 184b", "184c 184b 184b 184b", "384c 280a 280a 344a"),
        head=480,
        input_shape=(50, 172, 172, 3),
        frames_per_second=5,
    ),
    "a1": Released(
        stem=16,
        widths=(16, 40, 64, 64, 136),
        layers=_layers(
            "40a 40b",
            "96b 120b 96b 96b",
            "216c 128b 216b 168b 216b",
            "216c 216b 216b 128b 128a 216b",
            "456c 360a 360a 360a 456a 456b 544d",
        ),
        head=600,
        input_shape=(50, 172, 172, 3),
        frames_per_second=5,
    ),
    "a2": Released(
        stem=16,
        widths=(16, 40, 72, 72, 144),
        layers=_layers(
            "40a 40b 64b",
            "96b 120b 96b 96b 120b",
            "240c 160b 240b 192b 240b",
            "240c 240b 240b 240b 144a 240b",
            "480c 384a 384a 480a 480a 480b 576d",
        ),
        head=640,
        input_shape=(50, 224, 224, 3),
        frames_per_second=5,
    ),
    "a3": Released(
        stem=16,
        widths=(16, 48, 80, 88, 168),
        layers=_layers(
            "40a 40b 64b 40b",
            "112b 144b 112b 112a 144b 144b",
            "240c 152b 240b 192b 240b",
            "264c 264b 264b 264b 160a 264b 264b 264b",
            "560c 448a 448a 560a 560a 560b 448a 448a 560b 672d",
        ),
        head=744,
        input_shape=(120, 256, 256, 3),
        frames_per_second=12,
        dropout=0.5,
        positional=True,
    ),
    "a4": Released(
        stem=24,
        widths=(24, 56, 96, 96, 192),
        layers=_layers(
            "64a 64b 96b 64b 96b 64b",
            "168b 168b 136b 136b 168b 168b 168b 136a 136b",
            "320c 160b 320b 192b 320b 160b 320b 256b 320b",
            "320c 320b 320b 320b 192a 320b 320b 192b 320b 320b",
            "640c 512a 512a 640a 640a 640b 512a 512a 640a 768a 640a 640b 768b",
        ),
        head=856,
        input_shape=(80, 290, 290, 3),
        frames_per_second=8,
        dropout=0.5,
        positional=True,
    ),
    "a5": Released(
        stem=24,
        widths=(24, 64, 112, 120, 224),
        layers=_layers(
            "64a 64a 96b 64b 96b 64b",
            "192c 152b 152b 152b 192b 192b 192b 152b 152b 192b 192b",
            "376c 224b 376b 376b 296b 376b 224b 376b 376b 296b 376b 376b 376b",
            "376c 376b 376b 376b 224a 376b 376b 224b 376b 376b 376b",
            "744c 744b 600a 600a 744a 744a 744b 896a 600a 600a 896a 744a 744b 896a 600a 600a 744a 744b",
        ),
        head=992,
        input_shape=(120, 320, 320, 3),
        frames_per_second=12,
        dropout=0.5,
        positional=True,
    ),
}
