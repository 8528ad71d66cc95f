"""What a recorded comparison is said to say."""

from __future__ import annotations

import csv

import pytest
from click.testing import CliRunner

from benchmarks.tabnas_tables.__main__ import main
from benchmarks.tabnas_tables.compare import POLICY_COLUMNS
from benchmarks.tabnas_tables.verdict import RECORDED, read_recorded, verdict
from searchspaces.errors import InputError


def row(reward, mean, half, **more):
    """A row whose regrets of both ends and kinds are mean ± half."""
    figures = {
        f"{end}_{regret}{bound}": f"{value:g}"
        for end in ("mode", "draws")
        for regret in ("regret", "seen_regret")
        for bound, value in (("", mean), ("_low", mean - half), ("_high", mean + half))
    }
    own = {"table": "made-up-2", "reward": reward, "learning_rate": "0.05", "mode_feasible": "0.9", "extra_samples": ""}
    return {**own, "draws_feasible": "1", **figures, **more}


ROWS = [
    row("uniform", 9, 1),
    row("rejection", 5, 1, extra_samples="1"),
    row("rejection", 2, 0.5, extra_samples="64"),
    row("absolute", 1, 0.4, beta="-0.1"),
    row("absolute", 1.2, 0.5, beta="-0.3"),
    row("mnas_soft", 2.6, 0.2, beta="-0.1"),
    row("mnas_hard", 3, 0.2, beta="-0.1"),
    row("mnas_hard", 0.1, 0.01, beta="-0.1", learning_rate="0.1"),
]


def test_only_intervals_that_lie_apart_count():
    found = verdict(ROWS, "made-up-2", end="mode")
    assert (found.shaped, found.better, found.worse) == (4, 1, 1)
    assert (found.best, found.best_regret, found.regret, found.feasible) == ("absolute -0.1", 1.0, 2.0, 0.9)


def test_an_unknown_table_or_file_is_named(tmp_path):
    with pytest.raises(InputError, match="made-up-2"):
        verdict(ROWS, "made-up-3")
    with pytest.raises(InputError, match="policies"):
        read_recorded(tmp_path / "none.csv")
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"other\.csv: expected the columns"):
        read_recorded(other)


def test_the_command_says_it_of_every_table(tmp_path):
    path = tmp_path / "rows.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, POLICY_COLUMNS)
        writer.writeheader()
        writer.writerows(ROWS)
    done = CliRunner().invoke(main, ["verdict", "--csv", str(path)], catch_exceptions=False)
    assert done.output.count("made-up-2") == 4
    assert "1 better and 1 worse of 4" in done.output


def test_what_is_recorded_is_of_five_sets_and_more_than_twenty_runs():
    rows = read_recorded(RECORDED)
    assert {"adult-2", "connect_4-2", "letter-2", "optdigits-2", "shuttle-2"} <= {row["table"] for row in rows}
    assert all(int(row["runs"]) >= 20 for row in rows)
    assert all(verdict(rows, table).shaped == 36 for table in {row["table"] for row in rows})
