"""The folder of a run: its configuration, its trial log, and the lock that keeps a second driver out."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Self

import yaml

from nas.config import SearchConfig, continued, load_config
from nas.held_out import HeldOut
from nas.store import TrialStore
from searchspaces.errors import InputError

CONFIG = "search.yaml"
LOG = "trials.sqlite"
LOCK = "driver.lock"
HELD_OUT = "held_out.json"


def read_run(folder: Path) -> SearchConfig:
    """The configuration of a run folder."""
    if not (folder / CONFIG).is_file():
        raise InputError(
            f"{folder}: expected the folder of a search with {CONFIG} in it; give the --out folder of `nas search`."
        )
    return load_config(folder / CONFIG)


def read_log(folder: Path) -> TrialStore:
    """The trial log of a run folder, for reading only."""
    read_run(folder)
    return TrialStore(folder / LOG, read_only=True)


def read_held_out(folder: Path) -> dict[str, dict[str, Any]]:
    """The errors of the predictors that a search went by, for every metric; none where it measured or looked up."""
    path = folder / HELD_OUT
    if not path.is_file():
        return {}
    try:
        found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: expected a JSON file ({error}); continue the search, which writes it anew."
        ) from error
    return found


def is_driven(folder: Path) -> bool:
    """Whether a driver is at work on the folder now."""
    lock = folder / LOCK
    if not lock.exists():
        return False
    with lock.open("r") as stream:
        return not _try_lock(stream)


class RunFolder:
    """A run folder held by this driver. Use as a context manager."""

    def __init__(self, path: Path, config: SearchConfig) -> None:
        """Take the folder for `config`, making it or continuing the search it holds.

        Raises:
            InputError: it holds another search or other files, cannot be written, or another driver has it.
        """
        self.path = path
        existing = (path / CONFIG).is_file()
        if not existing and path.exists() and (not path.is_dir() or _holds_other_files(path)):
            raise InputError(f"{path}: expected an empty or a run folder, got other files; give another --out folder.")
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock: IO[str] = (path / LOCK).open("a+")
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror}); give another --out folder.") from error
        if not _try_lock(self._lock):
            self._lock.seek(0)
            owner = self._lock.read().strip() or "unknown"
            self._lock.close()
            raise InputError(
                f"{path}: another driver (process {owner}) is at work on this run; wait for it, or give another --out."
            )
        try:
            self._lock.truncate(0)
            self._lock.write(str(os.getpid()))
            self._lock.flush()
            self.config = continued(read_run(path), config) if existing else config
            self._write_config()
            self.store = TrialStore(path / LOG)
        except BaseException:
            self._lock.close()
            raise

    def _write_config(self) -> None:
        self._write(CONFIG, yaml.safe_dump(self.config.to_dict(), sort_keys=False, allow_unicode=True))

    def keep_held_out(self, errors: Mapping[str, HeldOut]) -> None:
        """Write down how far off the predictors are that this search goes by, if it goes by any."""
        if errors:
            plain = {metric: each.to_dict() for metric, each in errors.items()}
            self._write(HELD_OUT, json.dumps(plain, indent=2) + "\n")

    def _write(self, name: str, text: str) -> None:
        temporary = self.path / f"{name}.new"
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(self.path / name)

    def checkpoint(self, number: int) -> Path:
        """Where trial `number` keeps its training state."""
        return self.path / "checkpoints" / str(number)

    def close(self) -> None:
        """Let go of the log and the lock."""
        self.store.close()
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _holds_other_files(path: Path) -> bool:
    """Whether a folder has more in it than a driver that was killed while it set the folder up may leave."""
    return any(file.name not in (LOCK, f"{CONFIG}.new") for file in path.iterdir())


def _try_lock(stream: IO[str]) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
