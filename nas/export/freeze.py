"""A Keras model as one TensorFlow function without variables, at batch 1: what the converter takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from searchspaces.graph import INPUT


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenNetwork:
    """The function, and the names of its inputs and outputs in the order the converter gives them."""

    function: Any
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def shape(self, name: str) -> tuple[int, ...]:
        """Of an input, batch included."""
        return tuple(int(side) for side in self.function.inputs[self.inputs.index(name)].shape)

    def run(self, fed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        """One call, by name."""
        import tensorflow as tf

        found = self.function(**{name: tf.constant(value) for name, value in fed.items()})
        return {name: np.asarray(value) for name, value in zip(self.outputs, found, strict=True)}


def freeze(model: Any) -> FrozenNetwork:
    """The function of a model; one that takes or gives several tensors has them by name in a dict."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    several = isinstance(model.input, dict)
    fed = model.input if several else {INPUT: model.input}
    specs = {name: tf.TensorSpec((1, *each.shape[1:]), tf.float32, name=name) for name, each in fed.items()}
    call = tf.function(lambda **fed: model(fed if several else next(iter(fed.values())), training=False))
    # Without freezing, the converter writes variables and the ops that read them, which no delegate takes.
    function = convert_variables_to_constants_v2(call.get_concrete_function(**specs))
    return FrozenNetwork(
        function=function,
        inputs=tuple(tensor.name.partition(":")[0] for tensor in function.inputs),
        # TensorFlow sorts the keys of a dict.
        outputs=tuple(sorted(model.output)) if isinstance(model.output, dict) else ("output",),
    )
