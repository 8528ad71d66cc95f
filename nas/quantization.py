"""Between real values and what the tensors of an interpreter hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def quantize(values: NDArray[Any], details: dict[str, Any]) -> NDArray[Any]:
    """Values as the tensor of these interpreter details holds them: ``round(x / scale) + zero_point``, clipped."""
    scale, zero_point = details["quantization"]
    dtype = np.dtype(details["dtype"])
    if not scale:
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return np.asarray(np.clip(np.rint(values / scale) + zero_point, limits.min, limits.max), dtype)


def dequantize(values: NDArray[Any], details: dict[str, Any]) -> NDArray[np.float32]:
    """What a tensor of these interpreter details stands for: ``(q - zero_point) * scale``."""
    scale, zero_point = details["quantization"]
    if not scale:
        return values.astype(np.float32)
    return np.asarray((values.astype(np.float32) - zero_point) * scale, np.float32)
