"""Tables from files: several rows of one architecture, gaps, joins, choices as columns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.evaluators.table import TableEvaluator
from nas.evaluators.table_file import join, read_joined, read_table
from searchspaces.errors import InputError
from searchspaces.nasbench201 import NASBench201, NASBench201Cells
from searchspaces.nasbench_macro import NASBenchMacro
from searchspaces.tabnas import TabNAS

SPACE = TabNAS((4,), 3)
ONE, TWO = SPACE.parse("tabnas:0-1-2-x-x"), SPACE.parse("tabnas:1-1-2-3-x")
DEAD = ("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|", "|skip_connect~0|+|none~0|none~1|+|none~0|none~1|none~2|")


@pytest.fixture
def write(tmp_path: Path):
    def call(text: str, name: str = "table.csv") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return call


def test_native_strings_with_leading_zeros_stay_text(write):
    path = write("arch,accuracy\n00000000,1\n01201201,2\n")
    space = NASBenchMacro()
    table = read_table(space, path, id="arch")
    assert table.rows == {space.parse("00000000"): {"accuracy": 1.0}, space.parse("01201201"): {"accuracy": 2.0}}


def test_several_rows_of_one_architecture(write):
    path = write(f"arch,accuracy\n{DEAD[0]},1\n{DEAD[1]},2\n{DEAD[1].replace('skip_connect', 'avg_pool_3x3')},6\n")
    with pytest.raises(InputError, match=r"data row 2: .* twice \(1 architectures in 3 rows\).* repeated: mean"):
        read_table(NASBench201(), path, id="arch")
    table = read_table(NASBench201(), path, id="arch", repeated="mean")
    assert table.values.tolist() == [[3.0]]
    # The same rows stand apart where equal cells have ids of their own.
    assert read_table(NASBench201Cells(), path, id="arch").column("accuracy").tolist() == [1.0, 2.0, 6.0]


def test_rows_with_gaps(write):
    path = write("id,a,b\ntabnas:0-1-2-x-x,1,\ntabnas:1-1-2-3-x,2,3\n")
    with pytest.raises(InputError, match=r"expected finite numbers for b, got nan in data row 1; .* incomplete: drop"):
        read_table(SPACE, path)
    assert read_table(SPACE, path, incomplete="drop").rows == {TWO: {"a": 2.0, "b": 3.0}}
    assert len(read_table(SPACE, path, metrics={"a": "a"})) == 2
    with pytest.raises(InputError, match=r"expected a row with a number for all of a, b, got none"):
        read_table(SPACE, write("id,a,b\ntabnas:0-1-2-x-x,1,\ntabnas:1-1-2-3-x,,3\n"), incomplete="drop")


def test_choices_as_columns(write):
    path = write("layers,width_1,width_2,width_3,width_4,accuracy\n2,16,24,,,0.5\n3,16,24,32,8,0.25\n")
    found = read_table(SPACE, path, by_choice=True)
    assert found.rows == {ONE: {"accuracy": 0.5}, TWO: {"accuracy": 0.25}}
    with pytest.raises(InputError, match=r"data row 1: choice width_2: expected one of .* got 25"):
        read_table(SPACE, write("layers,width_1,width_2,width_3,width_4,a\n2,16,25,,,1\n"), by_choice=True)


# -- joins -------------------------------------------------------------------------------------------------------------

LEFT = "id,accuracy\ntabnas:0-1-2-x-x,0.5\ntabnas:1-1-2-3-x,0.25\n"
RIGHT = "net,ms\ntabnas:1-1-2-3-7,2\ntabnas:0-0-0-x-x,9\ntabnas:0-1-2-x-x,1\n"


def joined(write: Any, right: str = RIGHT, **options: Any) -> Any:
    other = {"path": str(write(right, "other.csv")), "id": "net", **options}
    return read_joined(SPACE, write(LEFT), joined=[other])


def test_joined_columns_follow_the_architecture_not_the_order(write):
    table = joined(write, metrics={"latency_ms@pi": "ms"})
    assert table.metrics == ("accuracy", "latency_ms@pi")
    assert table.rows[ONE] == {"accuracy": 0.5, "latency_ms@pi": 1.0}
    assert table.rows[TWO] == {"accuracy": 0.25, "latency_ms@pi": 2.0}
    assert len(table) == 2


def test_joins_that_miss_rows(write):
    right = "net,ms\ntabnas:0-1-2-x-x,1\n"
    with pytest.raises(InputError, match=r"other.csv: .* 1 of 2 are missing, tabnas:1-1-2-3-x .* missing: drop"):
        joined(write, right)
    assert joined(write, right, missing="drop").architectures == (ONE,)
    with pytest.raises(InputError, match=r"2 of 2 are missing, .* check that it is the same space"):
        joined(write, "net,ms\ntabnas:0-0-0-x-x,1\n", missing="drop")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"metrics": {"accuracy": "ms"}}, r"other.csv: expected new metrics, got \['accuracy'\] again"),
        ({"missing": "keep"}, "missing: expected one of 2 known names, got 'keep'"),
        ({"repeated": "best"}, "repeated: expected one of 2 known names, got 'best'"),
        ({"colour": 1}, "option of join 1: .* got 'colour'"),
        ({"id": ["net"]}, r"join 1: expected id as str, got \['net'\]"),
        ({"by_choice": "no"}, "join 1: expected by_choice as bool, got 'no'"),
        ({"id": "name"}, "id column: .* got 'name'"),
    ],
)
def test_joins_that_are_refused(write, options: Mapping[str, Any], words: str):
    with pytest.raises(InputError, match=words):
        joined(write, **options)


@pytest.mark.parametrize(
    ("given", "words"),
    [({"path": "x"}, "join: expected a list"), ("x.csv", "join: expected a list"), ([{}], "join 1: expected a path")],
)
def test_joins_are_a_list_of_tables(write, given: Any, words: str):
    with pytest.raises(InputError, match=words):
        read_joined(SPACE, write(LEFT), joined=given)


def test_a_table_joined_twice_has_all_columns(write):
    table = read_table(SPACE, write(LEFT))
    first = read_table(SPACE, write("id,a\ntabnas:0-1-2-x-x,1\ntabnas:1-1-2-3-x,2\n", "a.csv"))
    second = read_table(SPACE, write("id,b\ntabnas:1-1-2-3-x,4\ntabnas:0-1-2-x-x,3\n", "b.csv"))
    both = join(join(table, first, name="a"), second, name="b")
    np.testing.assert_array_equal(both.values, [[0.5, 1, 3], [0.25, 2, 4]])
    with pytest.raises(InputError, match=r"metric of the table: .* got 'c'"):
        both.column("c")


def test_the_evaluator_joins(write):
    other = {"path": str(write(RIGHT, "other.csv")), "id": "net"}
    evaluator = TableEvaluator(SPACE, path=str(write(LEFT)), join=[other])
    assert evaluator.row(ONE) == {"accuracy": 0.5, "ms": 1.0}
