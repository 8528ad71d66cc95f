"""Groups of inverted bottlenecks as the spaces of TuNAS have them (Bender, Liu et al., CVPR 2020).

The first layer of a group is always there and carries its stride; each of the layers after it may be skipped, and then
its other choices do not reach the network. A network says which layers it skips by the names of its blocks, since
shared weights belong to a place in the group.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from searchspaces.blocks import MBConv
from searchspaces.layers import ActivationName
from searchspaces.space import Choice, Value
from searchspaces.widths import make_divisible, scale_filters

GROUP_STRIDES = (2, 2, 2, 1, 2)
LAYERS = 4
SE_RATIOS = (0.0, 0.25)


def scaling_choices(*factors: float) -> tuple[Choice, ...]:
    """The choices of `ImageSpace`: a search keeps to the paper's table, published networks or small images do not."""
    return (
        Choice(name="width", values=(1.0,), unsearched=factors),
        Choice(name="stem_stride", values=(2,), unsearched=(1,)),
    )


def group_choices(
    group: int,
    *,
    layers: int = LAYERS,
    kernels: tuple[int, ...],
    expansions: tuple[int, ...],
    unsearched_expansions: tuple[float, ...] = (),
    se_ratios: tuple[float, ...] = (),
) -> Iterator[Choice]:
    """The choices of one group, layer by layer: `layer_2_3` (from the second on), `kernel_2_3`, `expansion_2_3`, …"""
    for layer in range(1, layers + 1):
        place = f"{group}_{layer}"
        parent, when = (f"layer_{place}", ("bottleneck",)) if layer > 1 else (None, ())
        if parent is not None:
            yield Choice(name=parent, values=("bottleneck", "skip"))
        yield Choice(name=f"kernel_{place}", values=kernels, parent=parent, when=when)
        yield Choice(
            name=f"expansion_{place}", values=expansions, unsearched=unsearched_expansions, parent=parent, when=when
        )
        if se_ratios:
            yield Choice(name=f"se_{place}", values=se_ratios, parent=parent, when=when)


def group_values(
    group: int, present: Sequence[Mapping[str, Value] | None], *, layers: int = LAYERS
) -> dict[str, Value]:
    """The values of a published group, from those of its layers (such as kernel and expansion).

    None is a skip, and so are the layers after those given.
    """
    values: dict[str, Value] = {}
    for layer in range(1, layers + 1):
        given = present[layer - 1] if layer <= len(present) else None
        if layer > 1:
            values[f"layer_{group}_{layer}"] = "skip" if given is None else "bottleneck"
        values.update({f"{name}_{group}_{layer}": value for name, value in (given or {}).items()})
    return values


def group_blocks(
    values: Mapping[str, Value],
    group: int,
    *,
    in_filters: int,
    filters: int,
    stride: int,
    activation: ActivationName,
) -> Iterator[MBConv]:
    """The layers of one group that are there; an expansion of 1 has no expanding convolution (MobileNetV2)."""
    for layer in range(1, LAYERS + 1):
        place = f"{group}_{layer}"
        if f"kernel_{place}" not in values:
            continue
        expansion, se_ratio = float(values[f"expansion_{place}"]), float(values.get(f"se_{place}", 0))
        expanded = scale_filters(in_filters, expansion)
        yield MBConv(
            name=f"group{place}",
            filters=filters,
            expanded_filters=expanded if expansion > 1 else 0,
            kernel=int(values[f"kernel_{place}"]),
            stride=stride if layer == 1 else 1,
            activation=activation,
            se_filters=make_divisible(expanded * se_ratio) if se_ratio else 0,
            se_activation="relu",
            se_gate="hard_sigmoid",
            residual=layer > 1,
        )
        in_filters = filters
