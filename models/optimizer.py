"""AdamW over one flat vector of all weights.

A searched network has some two hundred small variables, and a short training spends most of its time on tracing
update rules variable by variable. Here the moments are two vectors and the rule is traced once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops


class FlatAdamW(keras.optimizers.Optimizer):
    """AdamW (Loshchilov & Hutter 2019) with the numbers of Keras's own; vectors (biases, norms) are not decayed.

    Args:
        learning_rate: a number or a Keras schedule.
        decay: decoupled weight decay of matrices and kernels.
    """

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        *,
        decay: float = 0.0,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        name: str = "flat_adamw",
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name)
        self.decay, self.beta_1, self.beta_2, self.epsilon = decay, beta_1, beta_2, epsilon

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """One moment vector each for all `variables` together."""
        if self.built:
            return
        super().build(variables)
        self._shapes = [tuple(variable.shape) for variable in variables]
        self._sizes = [int(np.prod(shape)) for shape in self._shapes]
        total = sum(self._sizes)
        self._momentum = self.add_variable((total,), name="momentum")
        self._velocity = self.add_variable((total,), name="velocity")
        mask = [np.full(size, len(shape) > 1) for size, shape in zip(self._sizes, self._shapes, strict=True)]
        self._decayed = np.concatenate(mask).astype("float32")

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[keras.Variable] | None = None) -> Any:
        """One step for all variables at once; returns the iteration counter."""
        variables = self._trainable_variables if trainable_variables is None else list(trainable_variables)
        self.build(variables)
        gradient = ops.concatenate([ops.reshape(grad, (-1,)) for grad in grads])
        weights = ops.concatenate([ops.reshape(variable.value, (-1,)) for variable in variables])
        step = ops.cast(self.iterations + 1, "float32")
        rate = ops.cast(self.learning_rate, "float32")
        momentum = self.beta_1 * self._momentum.value + (1 - self.beta_1) * gradient
        velocity = self.beta_2 * self._velocity.value + (1 - self.beta_2) * ops.square(gradient)
        self._momentum.assign(momentum)
        self._velocity.assign(velocity)
        alpha = rate * ops.sqrt(1 - ops.power(self.beta_2, step)) / (1 - ops.power(self.beta_1, step))
        if self.decay:
            weights = weights - rate * self.decay * self._decayed * weights
        weights = weights - alpha * momentum / (ops.sqrt(velocity) + self.epsilon)
        pieces = ops.split(weights, np.cumsum(self._sizes)[:-1].tolist())
        for variable, piece, shape in zip(variables, pieces, self._shapes, strict=True):
            variable.assign(ops.reshape(piece, shape))
        self.iterations.assign_add(1)
        return self.iterations
