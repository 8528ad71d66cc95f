"""ProxylessNAS-Enlarged (TuNAS, Bender, Liu et al., CVPR 2020): ProxylessNAS with every width searched too.

1.39e28 settings as the paper counts. MobileNetV2 and MnasNet-B1 are points of it. At a `width` below 1 rounding makes
some of the widths equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from searchspaces.proxylessnas import WIDTH_NAMES, ProxylessNAS, operation_choices, reference
from searchspaces.space import Choice, Reference, Value
from searchspaces.widths import width_options

_BASE_WIDTHS = (16, 16, 16, 32, 64, 128, 256, 512, 1024)


def _network(codes: str, *widths: int, width: float = 1.0, activation: str = "relu") -> Reference:
    return reference(codes, width=width, activation=activation, **dict(zip(WIDTH_NAMES, widths, strict=True)))


def _mobilenet_v2(width: float) -> Reference:
    codes, widths = "0 | 3 3 6 6 | 3 3 3 6 | 3 3 3 3 | 3 3 3 6 | 3 3 3 6 | 3", (32, 16, 24, 32, 64, 96, 160, 320, 1280)
    return _network(codes, *widths, width=width, activation="relu6")


_MNASNET_B1 = "0 | 0 0 0 6 | 1 1 1 6 | 4 4 4 6 | 3 3 6 6 | 4 4 4 4 | 3"


class ProxylessNASEnlarged(ProxylessNAS):
    """The enlarged ProxylessNAS space for any image size and class count."""

    name: ClassVar[str] = "proxylessnas-enlarged"
    choices = (
        *operation_choices(0.5, 1.4, 1.5, 2.0),
        *(
            Choice(name=name, values=width_options(filters))
            for name, filters in zip(WIDTH_NAMES, _BASE_WIDTHS, strict=True)
        ),
    )
    small_images = {"stem_stride": 1}  # noqa: RUF012 (a constant of the space; widths are searched)
    references = {  # noqa: RUF012 (a constant of the space)
        "mobilenet-v2": _mobilenet_v2(1.0),
        **{f"mobilenet-v2-{width}x": _mobilenet_v2(width) for width in (0.5, 1.4, 1.5, 2.0)},
        "mnasnet-b1": _network(_MNASNET_B1, 32, 16, 24, 40, 80, 96, 192, 320, 1280),
    }

    def widths(self, values: Mapping[str, Value]) -> dict[str, int]:
        return {name: int(values[name]) for name in WIDTH_NAMES}
