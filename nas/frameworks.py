"""Loading Keras and its backend, late and without their start-up notices."""

from __future__ import annotations

from typing import Any

from hardware_profiles.quiet import quiet_stderr


def load_keras() -> Any:
    """The keras module, with the backend behind it loaded."""
    with quiet_stderr():
        import keras
    return keras
