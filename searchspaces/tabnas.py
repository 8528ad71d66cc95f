"""TabNAS (Yang, Bender, Liu et al., NeurIPS 2022): feed-forward networks for tables, one width a layer (§2)."""

from __future__ import annotations

from typing import ClassVar

from searchspaces.blocks import Block, DenseBlock, SoftmaxBlock
from searchspaces.errors import InputError
from searchspaces.layers import Shape
from searchspaces.space import Architecture, Choice, Reference, SearchSpace, Value
from searchspaces.spec import NetworkSpec

WIDTHS = (8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 384, 512)


def _reference(features: int, outputs: int, *widths: int) -> Reference:
    values: dict[str, Value] = {"layers": len(widths)}
    values.update({f"width_{number}": width for number, width in enumerate(widths, start=1)})
    return Reference(values=values, input_shape=(features,), classes=outputs)


class TabNAS(SearchSpace):
    """Two to four hidden layers of 20 widths; pin `layers` for the paper's fixed depths (8,000 networks at three)."""

    name: ClassVar[str] = "tabnas"
    choices = (
        Choice(name="layers", values=(2, 3, 4)),
        Choice(name="width_1", values=WIDTHS),
        Choice(name="width_2", values=WIDTHS),
        Choice(name="width_3", values=WIDTHS, parent="layers", when=(3, 4)),
        Choice(name="width_4", values=WIDTHS, parent="layers", when=(4,)),
    )
    references = {  # noqa: RUF012 (a constant of the space)
        "tabnas-criteo": _reference(1027, 1, 32, 144, 24),
        "tabnas-volkert": _reference(180, 10, 48, 160, 32, 144),
        "tabnas-aloi": _reference(128, 1000, 64, 192, 48, 32),
        "tabnas-higgs": _reference(29, 1, 16, 144, 16),
    }

    def __init__(self, input_shape: Shape | None = None, classes: int | None = None, **pins: Value) -> None:
        if input_shape is not None and len(input_shape) != 1:
            raise InputError(
                f"input of space tabnas: expected a number of features such as 54, got {input_shape}; "
                "use space bignas for images."
            )
        super().__init__(input_shape, classes, **pins)

    def network(self, architecture: Architecture) -> NetworkSpec:
        """Dense + ReLU layers, then class probabilities (one output: a sigmoid)."""
        if self.input_shape is None or self.classes is None:
            raise InputError(
                "input and classes of space tabnas: expected both, since tables differ; "
                "give for example --input 54 --classes 7."
            )
        values = self.values(architecture)
        blocks: list[Block] = []
        for number in range(1, int(values["layers"] or 0) + 1):
            units = int(values[f"width_{number}"] or 0)
            blocks.append(DenseBlock(name=f"hidden_{number}", units=units, activation="relu"))
        if self.classes == 1:
            blocks.append(DenseBlock(name="classifier", units=1, activation="sigmoid"))
        else:
            blocks += [DenseBlock(name="classifier", units=self.classes), SoftmaxBlock()]
        return NetworkSpec(name=architecture.id, input_shape=self.input_shape, blocks=tuple(blocks))
