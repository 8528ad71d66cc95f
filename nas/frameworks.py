"""Loading Keras and its backend, late and without their start-up notices."""

from __future__ import annotations

import os
from typing import Any

from hardware_profiles.quiet import quiet_stderr


def load_keras() -> Any:
    """The keras module, with the backend behind it loaded.

    TensorFlow's oneDNN kernels are left off unless the environment says otherwise: they keep memory for every new
    layer shape, and a search brings new shapes with every network (measured by `make bench`, memory).
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    with quiet_stderr():
        import keras
    return keras
