"""Loads frameworks without their start-up notices, which drown what a command has to say."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Hold back what native code writes to stderr; an exception lets it through.

    TensorFlow's libraries log through absl before it is set up, where no log level reaches them.
    """
    try:
        kept = os.dup(2)
    except OSError:
        # No stderr to hold back.
        yield
        return
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
