"""The tables of published figures: each loads, each row has its verdict, and what is wrong with a table is said."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from benchmarks.reproduce.checks import CHECKS
from benchmarks.reproduce.figures import Figure, load_system, read_system, system_names
from benchmarks.reproduce.rows import DIFFERS, EQUAL, NOT_HERE, UNCONFIRMED, WITHIN, Row, judge, reproduce
from searchspaces.errors import InputError

# How many rows of each system end in each verdict.
GOLDEN = {
    "bignas": {EQUAL: 2, WITHIN: 22, NOT_HERE: 25, UNCONFIRMED: 9},
    "mobiledets": {EQUAL: 32, WITHIN: 24, NOT_HERE: 37},
    "movinets": {EQUAL: 53, WITHIN: 46, DIFFERS: 22, NOT_HERE: 61, UNCONFIRMED: 30},
    "multi-hardware": {EQUAL: 13, WITHIN: 35, DIFFERS: 4, NOT_HERE: 182},
    "neural-predictor": {EQUAL: 13, WITHIN: 1, NOT_HERE: 8, UNCONFIRMED: 2},
    "tabnas": {EQUAL: 36, WITHIN: 35, DIFFERS: 2, NOT_HERE: 13, UNCONFIRMED: 7},
    "tunas": {EQUAL: 6, WITHIN: 24, NOT_HERE: 16},
}

_EVERY_STREAM = (
    "GFLOPs a clip of the stream form, which are multiply-adds",
    "size of the .tflite file, float32, one frame",
    "state tensors",
)
DIFFERENT = {
    *(f"movinet-a{size}-stream: {quantity}" for size in range(6) for quantity in _EVERY_STREAM),
    "movinet-a2: GFLOPs a clip, which are multiply-adds",
    "movinet-a1: parameters in the paper",
    "movinet-a2: parameters in the paper",
    "movinet-a6: parameters of the ensemble of A4 and A5",
    "mobilenet-multi-avg-1.5x: multiply-adds in the MobileNetV4 paper",
    "mobilenet-v3-small: multiply-adds",
    "mobilenet-v3-small-minimalistic: multiply-adds",
    "mobilenet-v3-small: parameters, batch norm left out",
    "adult-2: shaped rewards of 36 that end better than rejection, by test rows",
    "optdigits-2: shaped rewards of 36 that end better than rejection, by test rows",
}


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return list(reproduce(map(load_system, system_names())))


@pytest.mark.parametrize("name", system_names())
def test_verdicts(rows: list[Row], name: str) -> None:
    assert Counter(row.verdict for row in rows if row.system == name) == GOLDEN[name]


def test_whatever_differs_is_known_and_says_why(rows: list[Row]) -> None:
    different = [row.figure for row in rows if row.verdict == DIFFERS]
    assert {figure.label for figure in different} == DIFFERENT
    assert all(figure.note for figure in different)


def test_what_is_unconfirmed_is_never_a_target_met(rows: list[Row]) -> None:
    doubtful = [row for row in rows if row.figure.confidence == "unconfirmed"]
    assert any(row.ours == row.figure.published for row in doubtful)
    assert {row.verdict for row in doubtful} == {UNCONFIRMED}


def test_what_is_not_reproducible_says_what_is_missing(rows: list[Row]) -> None:
    missing = [row for row in rows if row.verdict == NOT_HERE]
    assert missing and all(row.figure.note and row.ours is None for row in missing)


def test_every_check_can_fail(rows: list[Row]) -> None:
    """A published figure that is off by more than it may be is called different, whatever the check."""
    wrong = 0
    for row in rows:
        if row.verdict not in (EQUAL, WITHIN):
            continue
        published = row.figure.published
        off: Decimal | str = "none of ours"
        if isinstance(published, Decimal) and row.figure.allowed is not None:
            off = published + 3 * (row.figure.allowed.high - row.figure.allowed.low) + 1
        assert judge(replace(row.figure, published=off), row.ours) == DIFFERS, row.figure.label
        wrong += 1
    assert wrong > 30


def test_every_check_is_used() -> None:
    used = {figure.check.split()[0] for name in system_names() for figure in load_system(name).figures if figure.check}
    assert used == set(CHECKS)


def test_a_row_as_plain_data(rows: list[Row]) -> None:
    found = {row.figure.label: row.to_dict() for row in rows}
    row = found["efficientnet-b0: parameters"]
    assert row == {
        "system": "bignas",
        "quantity": "efficientnet-b0: parameters",
        "published": 5.3,
        "unit": "M",
        "source": "EfficientNet paper",
        "confidence": "primary",
        "ours": 5.288548,
        "tolerance": "±0.05",
        "verdict": WITHIN,
        "note": "",
        "runs": None,
        "interval": None,
    }
    assert {tuple(row) for row in found.values()} == {tuple(row)}
    nothing = found["BigNASModel-S: ImageNet top-1"]
    assert (nothing["ours"], nothing["tolerance"], nothing["verdict"]) == (None, None, NOT_HERE)


def test_what_chance_has_a_part_in_has_its_runs_and_interval(rows: list[Row]) -> None:
    by_chance = [row.to_dict() for row in rows if row.runs is not None]
    assert {row["runs"] for row in by_chance} == {5, 1000}
    for row in by_chance:
        low, high = row["interval"]
        assert low <= row["ours"] <= high, row["quantity"]
    assert {row["system"] for row in by_chance} == {"multi-hardware", "tabnas", "tunas"}


# -- verdicts ----------------------------------------------------------------------------------------------------------


def figure(published: Decimal | str, **changes: str) -> Figure:
    fields = {"source": "paper", "confidence": "primary", "check": "params x", "unit": "M", **changes}
    return Figure(name="x", quantity="size", published=published, **fields)


@pytest.mark.parametrize(
    ("published", "ours", "changes", "verdict"),
    [
        (Decimal("2.0"), Decimal(2), {}, EQUAL),
        (Decimal("2.0"), Decimal("2.04"), {}, WITHIN),
        (Decimal("2.0"), Decimal("2.06"), {}, DIFFERS),
        (Decimal("2.0"), Decimal("2.06"), {"tolerance": "5 %", "note": "for a reason"}, WITHIN),
        (Decimal("2.0"), Decimal("2.06"), {"tolerance": "±0.01", "note": "for a reason"}, DIFFERS),
        (Decimal(7), Decimal(7), {"unit": ""}, EQUAL),
        (Decimal(7), Decimal("7.3"), {"unit": ""}, DIFFERS),
        ("20-10-5", "20-10-5", {}, EQUAL),
        ("20-10-5", "20-10-6", {}, DIFFERS),
        (Decimal("2.0"), Decimal(2), {"confidence": "unconfirmed"}, UNCONFIRMED),
        (Decimal("2.0"), Decimal(9), {"confidence": "unconfirmed"}, UNCONFIRMED),
        (Decimal("2.0"), None, {"check": "", "note": "a Pixel 4"}, NOT_HERE),
        (Decimal("2.0"), None, {"check": "", "confidence": "unconfirmed"}, UNCONFIRMED),
    ],
)
def test_judge(published: Decimal | str, ours: Decimal | str | None, changes: dict[str, str], verdict: str) -> None:
    assert judge(figure(published, **changes), ours) == verdict


def test_numbers_are_not_compared_with_words() -> None:
    with pytest.raises(InputError, match="expected two numbers or words"):
        judge(figure("yes"), Decimal(1))
    with pytest.raises(InputError, match="expected two numbers or words"):
        judge(figure(Decimal(1)), "yes")


# -- tables that are wrong ---------------------------------------------------------------------------------------------

HEAD = 'title = "T"\npaper = "P"\n'
ROW = '[[figures]]\nquantity = "size"\nsource = "paper"\nconfidence = "primary"\ncheck = "params {}"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title = ", "expected a TOML file"),
        ('paper = "P"\n' + ROW + "published = {a = 1}", "expected title and paper as text"),
        (HEAD, r"expected \[\[figures\]\]"),
        (HEAD + "figures = 3", r"expected \[\[figures\]\], got 3"),
        (HEAD + "figure = 3", "did you mean 'figures'"),
        (HEAD + ROW, "expected published, which is missing"),
        (HEAD + ROW + "published = 3", "expected published as"),
        (HEAD + ROW + "published = {}", "expected published as"),
        (HEAD + ROW + "published = {a = true}", r"figures 1 \(size\), a: published: expected a number or words"),
        (HEAD + ROW + "published = {a = [1]}", "expected a number or words"),
        (HEAD + ROW + "published = {a = nan}", "expected a finite number"),
        (HEAD + ROW + "published = {a = 1}\nunti = 'M'", "did you mean 'unit'"),
        (HEAD + ROW + "published = {a = 1}\nname = 'b'", "key: expected one of"),
        (HEAD + ROW + "published = {a = 1}\nunit = 3", "unit: expected text, got 3"),
        (HEAD + ROW + "published = {a = 1}\ntolerance = '4 %'", "a note with the reason"),
        (HEAD + ROW + "published = {a = 1}\ntolerance = 'much'\nnote = 'why'", "expected '4 %' or '±2'"),
        (HEAD + ROW + "published = {a = 'w'}\ntolerance = '4 %'\nnote = 'why'", "expected a number, its check"),
        (HEAD + ROW.replace("primary", "primer") + "published = {a = 1}", "did you mean 'primary'"),
        (HEAD + ROW.replace('"params {}"', "3") + "published = {a = 1}", "check: expected text"),
        (HEAD + ROW.replace("params {}", "") + "published = {a = 1}", "expected what is missing"),
        (HEAD + ROW.replace('"size"', '" "') + "published = {a = 1}", "quantity: expected words"),
        (HEAD + 2 * (ROW + "published = {a = 1}\n"), r"expected every figure once, got more of \['a: size'\]"),
    ],
)
def test_a_table_that_is_wrong_says_where(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "table.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words) as error:
        read_system("table", path)
    assert str(path) in str(error.value)


def test_a_table_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_system("table", tmp_path / "absent.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="expected a TOML file"):
        read_system("table", tmp_path / "bytes.toml")


def test_a_row_that_cannot_run_names_itself(tmp_path: Path) -> None:
    path = tmp_path / "table.toml"
    path.write_text(HEAD + ROW + "published = {efficientnet-b00 = 1}", encoding="utf-8")
    with pytest.raises(InputError, match=r"table mine, efficientnet-b00: size: network: .*did you mean"):
        list(reproduce([read_system("mine", path)]))
