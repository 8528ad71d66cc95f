"""Tables: kinds of columns, missing values, categories, and the row encoder that serves the exported network."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import tasks
from benchmarks.tasks.columns import Column, column_groups, make_column
from benchmarks.tasks.encoding import encode_array, encode_columns, encode_row, fit_columns
from benchmarks.tasks.labels import encode_labels
from benchmarks.tasks.record import ArrayTask
from benchmarks.tasks.values import is_missing, number, text
from nas.task import PARTS
from searchspaces.errors import InputError


def write_table(path: Path, seed: int = 0, rows: int = 200) -> list[dict[str, str]]:
    """A csv with gaps, wild values, rare categories and codes; returns its rows as the csv module reads them."""
    rng = np.random.default_rng(seed)
    written = [
        {
            "size": rng.choice(["", " 1.5", "1e3", f"{rng.normal(0, 1e-3):.9f}", f"{rng.normal(3, 2):.3f}"]),
            "town": rng.choice(["", "?", "Ulm", "Köln, Süd", " Bonn ", f"hamlet {index}"]),
            "code": str(rng.integers(1, 5)),
            "label": rng.choice(["yes", "no"]),
        }
        for index in range(rows)
    ]
    written[7]["size"] = "1e30"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(written[0]))
        writer.writeheader()
        writer.writerows(written)
    return written


@pytest.mark.parametrize("seed", range(3))
def test_encode_row_gives_the_split_bit_by_bit(seed: int, tmp_path: Path) -> None:
    rows = write_table(tmp_path / "t.csv", seed)
    task = tasks.create("csv", path=tmp_path / "t.csv", label="label", categorical="code", seed=seed)
    assert isinstance(task, ArrayTask)
    host = json.loads(json.dumps(task.preprocessing.host))
    for part in PARTS:
        encoded = np.stack([encode_row(host, rows[index]) for index in task.rows[part]])
        assert encoded.dtype == np.float32
        assert encoded.tobytes() == task.split(part).x.tobytes()


def test_real_rows_encode_as_their_split(shared_data: Path) -> None:
    path = shared_data / "tabular_pmlb" / "adult.tsv.gz"
    task = tasks.create("tsv", path=path, label="target", categorical=["workclass", "native-country"])
    assert isinstance(task, ArrayTask)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for part in PARTS:
        chosen = task.rows[part][::400]
        encoded = np.stack([encode_row(task.preprocessing.host, rows[index]) for index in chosen])
        assert encoded.tobytes() == task.split(part).x[::400].tobytes()


def test_host_describes_what_was_fitted_on_training_rows() -> None:
    columns = {
        "age": Column(kind="numeric", values=np.array([1.0, np.nan, 3.0, 8.0])),
        "town": Column(kind="categorical", values=np.array(["b", "a", None, "b"], object)),
    }
    host = fit_columns(columns)
    assert host["columns"][0] == {
        "name": "age",
        "kind": "numeric",
        "fill": 3.0,
        "mean": 3.75,
        "std": pytest.approx(np.std([1, 3, 3, 8])),
        "indicator": True,
    }
    assert host["columns"][1] == {"name": "town", "kind": "categorical", "categories": ["a", "b"], "indicator": True}
    row = encode_row(host, {"age": "8", "town": "b", "unknown": 1})
    assert row.tolist() == pytest.approx([(8 - 3.75) / np.std([1, 3, 3, 8]), 0, 0, 1, 0])
    assert encode_row(host, {"age": None, "town": None}).tolist() == pytest.approx(
        [-0.75 / 2.5860, 1, 0, 0, 1], rel=1e-4
    )
    assert encode_row(host, {"age": 3.75, "town": "c"}).tolist() == [0, 0, 0, 0, 0]


def test_without_gaps_there_is_no_indicator_and_a_later_gap_is_filled() -> None:
    host = fit_columns({"age": Column(kind="numeric", values=np.array([1.0, 3.0, 8.0]))})
    assert not host["columns"][0]["indicator"]
    assert encode_row(host, {"age": ""}).tolist() == encode_row(host, {"age": 3}).tolist()


def test_only_the_fifty_most_frequent_categories_are_kept() -> None:
    names = [f"c{index:02}" for index in range(70)]
    values = np.array([name for index, name in enumerate(names) for _ in range(index + 1)], object)
    host = fit_columns({"c": Column(kind="categorical", values=values)})
    assert host["columns"][0]["categories"] == names[20:]
    assert not encode_row(host, {"c": "c19"}).any()
    assert encode_row(host, {"c": "c20"}).sum() == 1


def test_a_constant_column_is_zero_and_its_noise_is_not_blown_up() -> None:
    host = fit_columns({"x": Column(kind="numeric", values=np.full(1001, 0.1))})
    assert host["columns"][0]["mean"] == 0.1 and host["columns"][0]["std"] == 1.0
    assert encode_row(host, {"x": 0.1}).tolist() == [0.0]


def test_wild_values_are_cut_so_that_int8_keeps_the_others() -> None:
    values = np.concatenate([np.linspace(-1, 1, 10_000), [1e9]])
    host = fit_columns({"x": Column(kind="numeric", values=values)})
    assert np.abs(encode_columns(host, {"x": values})).max() == 10.0
    assert encode_row(host, {"x": -3e38}).tolist() == [-10.0]


@settings(max_examples=100, deadline=None)
@given(
    train=st.lists(st.floats(-3e38, 3e38) | st.just(float("nan")), min_size=1, max_size=20),
    value=st.floats(-3e38, 3e38) | st.none(),
)
def test_every_number_encodes_to_finite_features(train: list[float], value: float | None) -> None:
    host = fit_columns({"x": Column(kind="numeric", values=np.array(train))})
    encoded = encode_row(json.loads(json.dumps(host, allow_nan=False)), {"x": value})
    assert np.isfinite(encoded).all() and (np.abs(encoded) <= 10).all()


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", " 2.5 ", "", "NA", "-1e-3"], "numeric"),
        ([1, 2.5, None, True], "numeric"),
        (["1", "2", "three"], "categorical"),
        (["1_000", "2"], "categorical"),
        (["none", "some"], "categorical"),
    ],
)
def test_numbers_and_categories_are_told_apart(cells: list[object], kind: str) -> None:
    assert make_column("c", cells).kind == kind


def test_codes_are_categories_where_the_user_says_so() -> None:
    column = make_column("c", ["7", 7.0, 7, "8", None], categorical=True)
    assert column.values.tolist() == ["7", "7", "7", "8", None]


def test_cells() -> None:
    assert all(is_missing(cell) for cell in (None, "", " ", "NaN", "n/a", "?", float("nan"), np.float32("nan")))
    assert not any(is_missing(cell) for cell in (0, "0", False, "none", "missing"))
    assert number("1e3") == 1000 and number(True) == 1 and number("x") is None and number(10**400) == float("inf")
    assert text(" a ") == "a" and text(2.5) == "2.5" and text("?") is None


def test_labels_are_named_and_sorted() -> None:
    codes, class_names = encode_labels(["10", "9", 9.0, 10])
    assert codes.tolist() == [1, 0, 0, 1] and class_names == ("9", "10")
    codes, class_names = encode_labels(["b", "a", " b"])
    assert codes.tolist() == [1, 0, 1] and class_names == ("a", "b")
    codes, class_names = encode_labels([0, 2, 0], classes=4)
    assert codes.tolist() == [0, 2, 0] and class_names == ("0", "1", "2", "3")
    assert encode_labels(["none", "1"])[1] == ("1", "none")


def test_arrays_are_standardised_feature_by_feature(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal([0, 1000], [1, 50], (100, 2))
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(100) % 2)
    task = tasks.create("npz", path=tmp_path / "a.npz")
    assert isinstance(task, ArrayTask) and task.preprocessing.kind == "array"
    rows = task.rows["test"]
    assert encode_array(task.preprocessing.host, x[rows]).tobytes() == task.split("test").x.tobytes()
    assert np.allclose(task.preprocessing.host["mean"], x[task.rows["train"]].mean(axis=0), rtol=0, atol=1e-9)
    with pytest.raises(InputError, match=r"array: expected \[2\] or \[N, 2\] features, got shape \(3,\)"):
        encode_array(task.preprocessing.host, np.zeros(3))


def test_missing_values_and_the_numbers_of_parquet_agree_with_csv(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    rows = write_table(tmp_path / "t.csv")
    cells = {
        "size": [None if is_missing(row["size"]) else float(row["size"]) for row in rows],
        "town": [text(row["town"]) for row in rows],
        "code": [int(row["code"]) for row in rows],
        "label": [row["label"] for row in rows],
    }
    pyarrow.parquet.write_table(pa.table(cells), tmp_path / "t.parquet")
    options = {"label": "label", "categorical": "code"}
    one = tasks.create("csv", path=tmp_path / "t.csv", **options)
    two = tasks.create("parquet", path=tmp_path / "t.parquet", **options)
    assert one.preprocessing == two.preprocessing
    assert all(np.array_equal(one.split(part).x, two.split(part).x) for part in PARTS)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"y": 1}, r"row: expected the column 'x', got y; give None"),
        ({"x": "tall"}, r"column 'x': expected a number, got 'tall'"),
        ({"x": "-inf"}, r"column 'x': expected finite numbers below 3.4e\+38, got -inf"),
    ],
)
def test_a_row_that_cannot_be_encoded_is_refused(row: dict[str, object], message: str) -> None:
    host = fit_columns({"x": Column(kind="numeric", values=np.array([1.0, 2.0]))})
    with pytest.raises(InputError, match=message):
        encode_row(host, row)


def test_copies_are_found_whatever_the_spelling() -> None:
    columns = {
        "x": make_column("x", ["0.0", "-0", "0", "", "NA", "1"]),
        "c": make_column("c", ["a", " a", "a ", "b", "b", "?"]),
    }
    assert column_groups(columns).tolist() == [0, 0, 0, 1, 1, 2]
