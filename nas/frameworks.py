"""Loading Keras and its backend, late and without their start-up notices."""

from __future__ import annotations

import os
from typing import Any

from hardware_profiles.quiet import quiet_stderr


def load_keras() -> Any:
    """The keras module, with the backend behind it loaded.

    TensorFlow's oneDNN kernels are left off unless the environment says otherwise: they keep memory for every new
    layer shape, and a search brings new shapes with every network (measured by `make bench`, memory).

    Without a GPU its graph optimiser is left off too: it takes almost half of the time to a network's first step, and
    the steps after it are no faster for it. On a GPU it chooses the layout of images, which does count there.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    with quiet_stderr():
        import keras

        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            if not tf.config.list_physical_devices("GPU"):
                tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    return keras
