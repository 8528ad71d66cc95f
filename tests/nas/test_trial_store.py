from __future__ import annotations

import math
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.store import Event, TrialStore, fold
from nas.trial import FINISHED, STATES, State
from searchspaces.errors import InputError, MissingError
from searchspaces.space import Architecture

ONE = Architecture("tabnas", (0, 1, 2, -1, -1))
TWO = Architecture("tabnas", (1, 1, 2, 3, -1))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "trials.sqlite"
    with TrialStore(path) as store:
        store.append([Event(trial=0, state="PROPOSED", architecture=ONE, data={"metrics": {"params": 3.0}}, at=5.0)])
        store.append([Event(trial=0, state="RUNNING")])
        store.append(
            [
                Event(trial=0, state="COMPLETE", data={"metrics": {"accuracy": 0.9}, "seconds": 1.5}),
                Event(trial=1, state="INFEASIBLE", architecture=TWO, data={"reason": "params"}),
            ]
        )
    return path


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# -- writing and reading back ------------------------------------------------------------------------------------------


def test_trials_are_the_fold_of_the_events(log: Path) -> None:
    with TrialStore(log) as store:
        first, second = store.trials()
    assert (first.number, first.architecture, first.state) == (0, ONE, "COMPLETE")
    assert first.metrics == {"params": 3.0, "accuracy": 0.9}
    assert first.seconds == 1.5
    assert (second.number, second.architecture, second.state, second.reason) == (1, TWO, "INFEASIBLE", "params")


def test_events_come_back_in_the_order_they_were_written(log: Path) -> None:
    with TrialStore(log) as store:
        found = [(event.trial, event.state, event.architecture) for event in store.events()]
    assert found == [(0, "PROPOSED", ONE), (0, "RUNNING", None), (0, "COMPLETE", None), (1, "INFEASIBLE", TWO)]


def test_an_event_without_a_time_gets_the_present_one(log: Path) -> None:
    with TrialStore(log) as store:
        given_time, *others = [event.at for event in store.events()]
    assert given_time == 5.0
    assert all(at > 1e9 for at in others)


def test_what_is_acknowledged_is_seen_by_another_connection_at_once(tmp_path: Path) -> None:
    path = tmp_path / "trials.sqlite"
    with TrialStore(path) as writer:
        writer.append([Event(trial=0, state="PROPOSED", architecture=ONE)])
        with TrialStore(path, read_only=True) as reader:
            assert [trial.state for trial in reader.trials()] == ["PROPOSED"]
            writer.append([Event(trial=0, state="RUNNING")])
            assert [trial.state for trial in reader.trials()] == ["RUNNING"]


def test_commits_are_synced_to_the_disk(tmp_path: Path) -> None:
    with TrialStore(tmp_path / "trials.sqlite") as store:
        assert store._database.execute("PRAGMA synchronous").fetchone() == (2,)
        assert store._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_become_null(tmp_path: Path, value: float) -> None:
    data = {"metrics": {"accuracy": value, "size": 2.0}, "details": {"history": {"loss": [1.0, value]}, "t": (value,)}}
    with TrialStore(tmp_path / "trials.sqlite") as store:
        store.append([Event(trial=0, state="COMPLETE", architecture=ONE, data=data)])
        (trial,) = store.trials()
        (text,) = store._database.execute("SELECT data FROM event").fetchone()
    assert trial.metrics == {"accuracy": None, "size": 2.0}
    assert trial.details == {"history": {"loss": [1.0, None]}, "t": [None]}
    assert "NaN" not in text and "Infinity" not in text


def test_a_transaction_that_fails_leaves_nothing_and_the_log_usable(tmp_path: Path) -> None:
    with TrialStore(tmp_path / "trials.sqlite") as store:
        good = Event(trial=0, state="PROPOSED", architecture=ONE)
        with pytest.raises(sqlite3.IntegrityError):
            store.append([good, Event(trial=None, state="RUNNING")])  # type: ignore[arg-type]
        assert store.trials() == []
        store.append([good])
        assert len(store.trials()) == 1


def test_a_log_that_cannot_be_written_is_something_of_the_environment(log: Path) -> None:
    with TrialStore(log) as store:
        store._database.execute("PRAGMA query_only = ON")
        with pytest.raises(MissingError, match=r"cannot be written \(attempt to write a readonly database\)"):
            store.append([Event(trial=2, state="PROPOSED", architecture=ONE)])


# -- append-only -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET state = 'FAILED' WHERE trial = 0",
        "UPDATE event SET data = '{}'",
        "DELETE FROM event WHERE trial = 1",
        "DELETE FROM event",
        "REPLACE INTO event (seq, trial, state, at, data) VALUES (1, 0, 'FAILED', 0, '{}')",
    ],
)
def test_the_file_itself_refuses_changes(log: Path, statement: str) -> None:
    before = _rows(log)
    with sqlite3.connect(log) as database, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        database.execute(statement)
    database.close()
    assert _rows(log) == before


# -- folding -----------------------------------------------------------------------------------------------------------


def test_a_finished_trial_stays_as_it_is() -> None:
    events = [
        Event(trial=0, state="PROPOSED", architecture=ONE),
        Event(trial=0, state="COMPLETE", data={"metrics": {"accuracy": 0.9}}, at=1.0),
        Event(trial=0, state="FAILED", data={"metrics": {"accuracy": 0.1}, "reason": "late"}, at=2.0),
    ]
    trial = fold(events)[0]
    assert (trial.state, trial.metrics, trial.reason, trial.at) == ("COMPLETE", {"accuracy": 0.9}, None, 1.0)


def test_a_trial_that_is_restarted_gathers_what_its_events_say() -> None:
    events = [
        Event(trial=0, state="PROPOSED", architecture=ONE, data={"metrics": {"params": 1.0}, "costs": [{"value": 1}]}),
        Event(trial=0, state="RUNNING", data={"details": {"node": "a"}}),
        Event(trial=0, state="RUNNING", data={"details": {"try": 2}, "costs": [{"value": 2}]}),
        Event(trial=0, state="FAILED", data={"reason": "over 5 s", "seconds": 5.0}),
    ]
    trial = fold(events)[0]
    assert trial.state == "FAILED"
    assert trial.metrics == {"params": 1.0}
    assert trial.costs == [{"value": 1}, {"value": 2}]
    assert trial.details == {"node": "a", "try": 2}
    assert (trial.reason, trial.seconds) == ("over 5 s", 5.0)


def test_a_first_event_without_architecture_is_damage() -> None:
    with pytest.raises(InputError, match="trial 3: its first event names no architecture"):
        fold([Event(trial=3, state="RUNNING")])


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(STATES)), max_size=30))
def test_folding_in_two_parts_is_folding_at_once(pairs: list[tuple[int, State]]) -> None:
    """A log read half-way, then on, tells the same: the state is the last before and including the first finish."""
    events = [Event(trial=trial, state=state, architecture=ONE) for trial, state in pairs]
    for trial, folded in fold(events).items():
        states = [state for number, state in pairs if number == trial]
        ends = [position for position, state in enumerate(states) if state in FINISHED]
        assert folded.state == (states[ends[0]] if ends else states[-1])


# -- opening -----------------------------------------------------------------------------------------------------------


def test_reading_leaves_no_file_beside_a_closed_log(log: Path) -> None:
    before = files(log.parent)
    assert before == ["trials.sqlite"]
    with TrialStore(log, read_only=True) as store:
        assert len(store.trials()) == 2
        assert files(log.parent) == before
    assert files(log.parent) == before


def test_reading_creates_no_log(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a trial log, found none"):
        TrialStore(tmp_path / "trials.sqlite", read_only=True)
    assert files(tmp_path) == []


def test_reading_cannot_write(log: Path) -> None:
    with TrialStore(log, read_only=True) as store, pytest.raises(MissingError, match="cannot be written"):
        store.append([Event(trial=7, state="PROPOSED", architecture=ONE)])


def test_reading_sees_what_a_killed_driver_left_in_the_journal(tmp_path: Path) -> None:
    path, copy = tmp_path / "trials.sqlite", tmp_path / "copy"
    copy.mkdir()
    with TrialStore(path) as store:
        store.append([Event(trial=0, state="PROPOSED", architecture=ONE)])
        # What the disk holds while the driver lives is what a kill leaves.
        for name in files(tmp_path):
            if name.startswith("trials"):
                (copy / name).write_bytes((tmp_path / name).read_bytes())
    with TrialStore(copy / "trials.sqlite", read_only=True) as left:
        assert [trial.architecture for trial in left.trials()] == [ONE]
    with TrialStore(copy / "trials.sqlite") as left:
        left.append([Event(trial=0, state="RUNNING")])
        assert [trial.state for trial in left.trials()] == ["RUNNING"]


def test_an_empty_file_becomes_a_log(tmp_path: Path) -> None:
    path = tmp_path / "trials.sqlite"
    path.touch()
    with TrialStore(path) as store:
        store.append([Event(trial=0, state="PROPOSED", architecture=ONE)])
        assert len(store.trials()) == 1


@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "trials.sqlite"
    path.write_bytes(b"not a database at all" * 99)
    with pytest.raises(InputError, match=r"expected the trial log of a search.*restore this file"):
        TrialStore(path, read_only=read_only)
    assert path.read_bytes() == b"not a database at all" * 99


@pytest.mark.parametrize("version", [0, 2])
def test_a_log_of_another_version_is_refused(log: Path, version: int) -> None:
    database = sqlite3.connect(log)
    database.execute(f"PRAGMA user_version = {version}")
    database.close()
    with pytest.raises(InputError, match=f"version 1, got version {version}"):
        TrialStore(log)


def test_a_truncated_log_is_refused(log: Path) -> None:
    with TrialStore(log) as store:
        data = {"details": {"text": "x" * 5000}}
        store.append([Event(trial=number, state="PROPOSED", architecture=ONE, data=data) for number in range(2, 20)])
    log.write_bytes(log.read_bytes()[:20_000])
    with pytest.raises(InputError, match=r"trials.sqlite: .*(malformed|damaged|refuses)"), TrialStore(log) as store:
        store.trials()


@pytest.mark.parametrize("column", ["architecture = 'tabnas:0-1-?'", "data = '{'"])
def test_a_garbled_row_is_damage(log: Path, column: str) -> None:
    database = sqlite3.connect(log, isolation_level=None)
    database.execute("DROP TRIGGER event_fixed")
    database.execute(f"UPDATE event SET {column} WHERE seq = 1")
    database.close()
    with TrialStore(log) as store, pytest.raises(InputError, match="the trial log is damaged"):
        store.trials()


def _rows(path: Path) -> list[tuple[object, ...]]:
    database = sqlite3.connect(path)
    rows = database.execute("SELECT * FROM event ORDER BY seq").fetchall()
    database.close()
    return rows
