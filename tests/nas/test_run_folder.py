from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nas.config import SearchConfig, override, parse_config
from nas.run_folder import CONFIG, LOCK, LOG, RunFolder, is_driven, read_log, read_run
from nas.store import Event
from searchspaces.errors import InputError
from searchspaces.space import Architecture

ONE = Architecture("tabnas", (0, 1, 2, -1, -1))


@pytest.fixture
def config(table_config: dict[str, Any]) -> SearchConfig:
    return parse_config(table_config)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_new_folder_is_made_with_its_parents(config: SearchConfig, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "größe 1"
    with RunFolder(folder, config) as run:
        assert run.config == config
        assert run.store.trials() == []
        assert run.checkpoint(7) == folder / "checkpoints" / "7"
    assert names(folder) == {CONFIG, LOG, LOCK}
    assert read_run(folder) == config


def test_an_empty_folder_will_do(config: SearchConfig, tmp_path: Path) -> None:
    with RunFolder(tmp_path, config):
        assert (tmp_path / CONFIG).is_file()


def test_a_run_is_continued_with_its_new_budget(config: SearchConfig, tmp_path: Path) -> None:
    with RunFolder(tmp_path, config) as run:
        run.store.append([Event(trial=0, state="PROPOSED", architecture=ONE)])
    longer = override(config, ["budget.trials=77"])
    with RunFolder(tmp_path, longer) as run:
        assert [trial.architecture for trial in run.store.trials()] == [ONE]
    assert read_run(tmp_path).budget.trials == 77


def test_another_search_is_refused_and_the_folder_left_as_it_was(config: SearchConfig, tmp_path: Path) -> None:
    with RunFolder(tmp_path, config):
        pass
    before = (tmp_path / CONFIG).read_bytes()
    with pytest.raises(InputError, match="seed: 1 there, 2 here"):
        RunFolder(tmp_path, override(config, ["seed=2"]))
    assert (tmp_path / CONFIG).read_bytes() == before
    with RunFolder(tmp_path, config):
        """The refused driver holds no lock."""


@pytest.mark.parametrize("left", [(LOCK,), (LOCK, f"{CONFIG}.new")])
def test_what_a_driver_killed_at_the_start_leaves_is_no_hindrance(
    config: SearchConfig, tmp_path: Path, left: tuple[str, ...]
) -> None:
    for name in left:
        (tmp_path / name).write_text("1", encoding="utf-8")
    with RunFolder(tmp_path, config) as run:
        assert run.store.trials() == []
    assert read_run(tmp_path) == config


def test_a_configuration_without_log_starts_from_the_beginning(config: SearchConfig, tmp_path: Path) -> None:
    with RunFolder(tmp_path, config):
        pass
    (tmp_path / LOG).unlink()
    with RunFolder(tmp_path, config) as run:
        assert run.store.trials() == []


@pytest.mark.parametrize("name", [LOG, "notes.txt"])
def test_a_folder_with_other_files_is_refused(config: SearchConfig, tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(InputError, match="expected an empty or a run folder, got other files"):
        RunFolder(tmp_path, config)
    assert names(tmp_path) == {name}


def test_a_file_in_the_folder_s_place_is_refused(config: SearchConfig, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="got other files"):
        RunFolder(tmp_path / "run", config)
    with pytest.raises(InputError, match=r"cannot be written \(Not a directory\)"):
        RunFolder(tmp_path / "run" / "below", config)
    assert (tmp_path / "run").read_text(encoding="utf-8") == "mine"


# -- two drivers -------------------------------------------------------------------------------------------------------


def test_a_second_driver_is_told_of_the_first(config: SearchConfig, tmp_path: Path) -> None:
    with RunFolder(tmp_path, config) as first:
        first.store.append([Event(trial=0, state="PROPOSED", architecture=ONE)])
        with pytest.raises(InputError, match=rf"another driver \(process {os.getpid()}\) is at work on this run"):
            RunFolder(tmp_path, override(config, ["budget.trials=99"]))
        first.store.append([Event(trial=0, state="RUNNING")])
        assert [trial.state for trial in first.store.trials()] == ["RUNNING"]
        assert (tmp_path / LOCK).read_text(encoding="utf-8") == str(os.getpid())
    assert read_run(tmp_path) == config


def test_a_second_driver_in_the_moment_the_first_begins_is_told_too(config: SearchConfig, tmp_path: Path) -> None:
    """The folder holds nothing but the lock yet."""
    script = (
        "import fcntl, sys; stream = open(sys.argv[1], 'a+'); fcntl.flock(stream, fcntl.LOCK_EX); "
        "stream.write('4711'); stream.flush(); sys.stdout.write('locked\\n'); sys.stdout.flush(); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(tmp_path / LOCK)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(InputError, match=r"another driver \(process 4711\)"):
            RunFolder(tmp_path, config)
        assert is_driven(tmp_path)
        other.communicate()
    assert not is_driven(tmp_path)
    with RunFolder(tmp_path, config):
        assert is_driven(tmp_path)


def test_nobody_drives_a_folder_without_lock(tmp_path: Path) -> None:
    assert not is_driven(tmp_path)
    assert names(tmp_path) == set()


# -- reading -----------------------------------------------------------------------------------------------------------


def test_a_folder_without_configuration_is_no_run(tmp_path: Path) -> None:
    for read in (read_run, read_log):
        with pytest.raises(InputError, match=r"expected the folder of a search with search.yaml in it"):
            read(tmp_path)
    assert names(tmp_path) == set()


def test_reading_a_run_leaves_the_folder_as_it_was(config: SearchConfig, tmp_path: Path) -> None:
    with RunFolder(tmp_path, config):
        pass
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with read_log(tmp_path) as log:
        assert log.trials() == []
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
