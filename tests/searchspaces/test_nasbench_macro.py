"""NAS-Bench-Macro: parameters and multiply-adds of the published file, and its strings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hardware_profiles.lower import lower
from searchspaces.catalog import create_space
from searchspaces.errors import InputError


def counts(text: str) -> tuple[int, int]:
    """What the benchmark gives: values that training changes, and multiply-adds without the classifier's bias."""
    space = create_space("nasbench-macro")
    spec = space.network(space.parse(text))
    return spec.trainable_params, lower(spec).macs


@pytest.mark.parametrize(
    ("text", "params", "macs"),
    [
        ("00000000", 387_882, 7_713_280),
        ("11111111", 1_588_874, 53_246_464),
        ("22222222", 2_932_586, 105_660_928),
        ("01201201", 1_283_434, 46_109_184),
    ],
)
def test_published_sizes(text, params, macs):
    assert counts(text) == (params, macs)


def test_sizes_of_one_network_in_nine(shared_data: Path):
    path = shared_data / "nas_bench_macro" / "nas-bench-macro_cifar10.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    assert len(rows) == create_space("nasbench-macro").size == 6561
    for text in sorted(rows)[::9]:
        assert counts(text) == (rows[text]["params"], rows[text]["flops"]), text


def test_strings_read_back():
    space = create_space("nasbench-macro", (8, 8, 3), 4)
    architecture = space.parse("01201201")
    assert architecture.id == "nasbench-macro:0-1-2-0-1-2-0-1"
    assert space.native(architecture) == "01201201"
    assert space.values(architecture)["layer_3"] == "mb6_k5"


@pytest.mark.parametrize("text", ["0120120", "012012011", "01201203", "0120120x", "", "nasbench-macro:01201201"])
def test_strings_that_are_no_network(text):
    with pytest.raises(InputError, match=r"architecture id"):
        create_space("nasbench-macro").parse(text)


def test_a_place_without_a_layer_is_told_apart():
    space = create_space("nasbench-macro")
    first, second = (space.network(space.parse(text)) for text in ("00001000", "00010000"))
    assert [block.name for block in first.blocks] != [block.name for block in second.blocks]
    assert lower(first).signature == lower(second).signature


def test_a_table_is_no_image():
    with pytest.raises(InputError, match="expected an image such as 32x32x3"):
        create_space("nasbench-macro", (54,), 7)
