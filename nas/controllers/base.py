"""What every controller offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from nas.trial import Trial
from searchspaces.space import Architecture


class Controller(Protocol):
    """Suggests architectures and learns from trials.

    `suggest` changes nothing: with the same trials seen and the same generator it gives the same architectures. State
    comes from `update` alone, so a controller is brought back by showing it the trial log again.
    """

    @property
    def learns(self) -> bool:
        """Whether suggestions depend on earlier results; where not, they can be made ahead of them."""
        ...

    def suggest(self, count: int, rng: np.random.Generator) -> list[Architecture]:
        """`count` architectures; they may repeat and may be infeasible, which the caller sorts out."""
        ...

    def update(self, trials: Sequence[Trial]) -> None:
        """Finished trials in the order they ended: complete, infeasible or failed."""
        ...
