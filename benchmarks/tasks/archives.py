"""NumPy archives, opened without ever unpickling."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.tasks import checks
from searchspaces.errors import InputError

# RuntimeError: a zip that claims encryption or an unknown method. MemoryError: an array that claims a huge shape.
DAMAGE: Final = (
    ValueError,
    OSError,
    EOFError,
    KeyError,
    RuntimeError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an .npz archive by name; an InputError names the file where it is damaged or holds objects."""
    found = checks.file(path)
    try:
        # Opened here because numpy.load leaves a damaged file open.
        with found.open("rb") as stream:
            archive = np.load(stream, allow_pickle=False)
            if isinstance(archive, np.lib.npyio.NpzFile):
                return {name: archive[name] for name in archive.files}
    except DAMAGE as error:
        raise InputError(
            f"path: expected an .npz archive of plain arrays, got {str(found)!r} ({error}); write it with"
            " numpy.savez from arrays of numbers or strings, not objects."
        ) from error
    raise InputError(
        f"path: expected an .npz archive, got a single array in {str(found)!r}; write it with numpy.savez(x=…, y=…)."
    )
