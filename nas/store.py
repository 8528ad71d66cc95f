"""The trial log: an append-only SQLite file, written by the driver alone.

One row an event; a trial is the fold of its events. Nothing is ever updated or deleted, and triggers hold that.
A commit returns when the event is on the disk, so whatever `finish` acknowledged survives a killed driver.
"""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, Self

from nas.trial import FINISHED, State, Trial
from searchspaces.errors import InputError, MissingError
from searchspaces.space import Architecture

_APPLICATION_ID = 0x70617265
_VERSION = 1
_SCHEMA = """
CREATE TABLE event (
    seq INTEGER PRIMARY KEY,
    trial INTEGER NOT NULL,
    state TEXT NOT NULL,
    at REAL NOT NULL,
    architecture TEXT,
    data TEXT NOT NULL
);
CREATE INDEX event_trial ON event (trial);
CREATE TRIGGER event_fixed BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'the trial log is append-only'); END;
CREATE TRIGGER event_kept BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'the trial log is append-only'); END;
CREATE TRIGGER event_once BEFORE INSERT ON event WHEN EXISTS (SELECT 1 FROM event WHERE seq = NEW.seq)
    BEGIN SELECT RAISE(ABORT, 'the trial log is append-only'); END;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the log. Only a trial's first event carries its architecture."""

    trial: int
    state: State
    architecture: Architecture | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    at: float = 0.0


class EventLog(Protocol):
    """Where a search writes what happens, and reads what has happened."""

    def append(self, events: Iterable[Event]) -> None:
        """Keep events, all or none."""
        ...

    def events(self) -> Iterator[Event]:
        """Everything kept, in order."""
        ...


class MemoryLog:
    """A log that ends with its process: for searches that are cheaper to repeat than to write down."""

    def __init__(self) -> None:
        self._events: list[Event] = []

    def append(self, events: Iterable[Event]) -> None:
        """Keep events."""
        self._events.extend(events)

    def events(self) -> Iterator[Event]:
        """Everything kept, in order."""
        return iter(self._events)


class TrialStore:
    """The log of one run folder."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open the log, making it unless `read_only`; an `InputError` says where the file is no trial log."""
        self.path = path
        if read_only and not path.exists():
            raise InputError(f"{path}: expected a trial log, found none; give the folder of a search.")
        uri = f"{path.resolve().as_uri()}?{_mode(path, read_only=read_only)}"
        try:
            with ExitStack() as opened:
                self._database = opened.enter_context(closing(sqlite3.connect(uri, uri=True, isolation_level=None)))
                self._prepare(read_only)
                opened.pop_all()
        except sqlite3.DatabaseError as error:
            raise InputError(
                f"{path}: expected the trial log of a search, got something SQLite refuses ({error}); "
                "give another run folder, or restore this file."
            ) from error

    def _prepare(self, read_only: bool) -> None:
        version = self._database.execute("PRAGMA user_version").fetchone()[0]
        tables = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables == 0 and not read_only:
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.executescript(
                f"BEGIN; {_SCHEMA} PRAGMA application_id = {_APPLICATION_ID}; PRAGMA user_version = {_VERSION}; COMMIT;"
            )
        elif tables and version != _VERSION:
            raise InputError(
                f"{self.path}: expected a trial log of version {_VERSION}, got version {version}; "
                "use the release that wrote it."
            )
        self._database.execute("PRAGMA synchronous = FULL")

    def append(self, events: Iterable[Event]) -> None:
        """Write events in one durable transaction.

        Raises:
            MissingError: the disk is full, or the file is no longer ours to write.
        """
        rows = [
            (
                event.trial,
                event.state,
                event.at or time.time(),
                None if event.architecture is None else event.architecture.id,
                _to_json(event.data),
            )
            for event in events
        ]
        try:
            # As a context manager the connection commits, or takes everything back.
            with self._database:
                self._database.execute("BEGIN IMMEDIATE")
                self._database.executemany(
                    "INSERT INTO event (trial, state, at, architecture, data) VALUES (?,?,?,?,?)", rows
                )
        except sqlite3.OperationalError as error:
            raise MissingError(
                f"{self.path}: the trial log cannot be written ({error}); make room or access, then resume the run."
            ) from error

    def trials(self) -> list[Trial]:
        """All trials by number, each as its last event left it."""
        return sorted(fold(self.events()).values(), key=lambda trial: trial.number)

    def events(self) -> Iterator[Event]:
        """The log in the order it was written."""
        query = "SELECT trial, state, at, architecture, data FROM event ORDER BY seq"
        try:
            for trial, state, at, text, data in self._database.execute(query):
                yield Event(trial=trial, state=state, at=at, architecture=_architecture(text), data=json.loads(data))
        except (sqlite3.DatabaseError, ValueError) as error:
            raise InputError(f"{self.path}: the trial log is damaged ({error}); restore it from a copy.") from error

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def fold(events: Iterable[Event]) -> dict[int, Trial]:
    """Trials by number from their events; a finished trial stays as it is."""
    trials: dict[int, Trial] = {}
    for event in events:
        known = trials.get(event.trial)
        if known is None:
            if event.architecture is None:
                raise InputError(f"trial {event.trial}: its first event names no architecture; the log is damaged.")
            known = Trial(number=event.trial, architecture=event.architecture, state=event.state)
        elif known.state in FINISHED:
            continue
        data = event.data
        trials[event.trial] = replace(
            known,
            state=event.state,
            metrics={**known.metrics, **data.get("metrics", {})},
            costs=[*known.costs, *data.get("costs", ())],
            reason=data.get("reason", known.reason),
            seconds=data.get("seconds", known.seconds),
            details={**known.details, **data.get("details", {})},
            at=event.at,
        )
    return trials


def _mode(path: Path, *, read_only: bool) -> str:
    """How SQLite opens the file; a reader of a log that no driver has open leaves no files beside it."""
    if not read_only:
        return "mode=rwc"
    return "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "mode=ro&immutable=1"


def _architecture(text: str | None) -> Architecture | None:
    if text is None:
        return None
    space, _, body = text.partition(":")
    return Architecture(space, tuple(-1 if part == "x" else int(part) for part in body.split("-")))


def _to_json(data: Mapping[str, Any]) -> str:
    """JSON without NaN or infinity, which other readers of the file would refuse."""

    def plain(value: Any) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            return None
        if isinstance(value, Mapping):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        return value

    return json.dumps(plain(data), separators=(",", ":"), allow_nan=False)
