"""All files of an export or none: they are written beside their place and then moved into it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from searchspaces.errors import InputError, NoResultError

SUFFIX = ".tflite"


def check_out(out: Path) -> None:
    """Raise InputError unless `out` can be the path of a new .tflite file."""
    if out.suffix != SUFFIX:
        raise InputError(f"out: expected a path ending in {SUFFIX}, got {str(out)!r}; write for example model{SUFFIX}.")
    if out.is_dir():
        raise InputError(f"out: expected the path of a file, got the folder {str(out)!r}; add a file name.")


@contextmanager
def staging_folder(out: Path) -> Iterator[Path]:
    """A folder on the same disk as `out`, gone at the end with everything left in it.

    Raises:
        InputError: the folder of `out` cannot be made or written.
    """
    folder = out.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stage = tempfile.TemporaryDirectory(dir=folder, prefix=".export-")
    except OSError as error:
        raise InputError(
            f"out: expected a folder that can be written, got {str(folder)!r} ({error.strerror}); choose another."
        ) from error
    with stage as name:
        yield Path(name)


def write_staged(stage: Path, files: Mapping[str, bytes]) -> None:
    """Write the files, by name, and have the disk hold them.

    Raises:
        NoResultError: the disk is full, or refuses.
    """
    try:
        for name, data in files.items():
            with (stage / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        raise _not_written(error) from error


def publish(stage: Path, folder: Path, names: Iterable[str]) -> None:
    """Move staged files into `folder` in this order: papers before networks, so that none stands without its papers.

    Raises:
        NoResultError: a name cannot be replaced.
    """
    try:
        for name in names:
            (stage / name).replace(folder / name)
    except OSError as error:
        raise _not_written(error) from error


def _not_written(error: OSError) -> NoResultError:
    return NoResultError(
        f"export: expected to write {Path(str(error.filename2 or error.filename or 'the files')).name}, got: "
        f"{error.strerror}; free some space or choose another folder with out."
    )
