"""Accel-NASBench: parameters and multiply-adds of the published rows."""

from __future__ import annotations

from math import prod
from pathlib import Path

import pytest

from hardware_profiles.lower import lower
from searchspaces import layers
from searchspaces.catalog import create_space
from searchspaces.errors import InputError
from searchspaces.spec import NetworkSpec


def published_macs(spec: NetworkSpec) -> int:
    """The benchmark counts multiply-adds, 4 for every value out of a batch norm, and a mean as sums and a division."""
    total = lower(spec).macs
    for node in spec.graph.nodes:
        if isinstance(node.layer, layers.BatchNorm):
            total += 4 * prod(node.shape)
        elif isinstance(node.layer, layers.GlobalAveragePool):
            height, width, channels = spec.graph.input_shapes(node)[0]
            total += (height * width + 1) * channels
    return total


def test_sizes_of_the_first_published_row():
    """result_0: no squeeze-and-excite; 2.50116 million trained values, 415.361072 million as the benchmark counts."""
    rows = ((6, 3, 1), (4, 5, 2), (6, 3, 3), (6, 5, 3), (6, 5, 2), (1, 3, 2), (1, 3, 2))
    values = {}
    for group, (expansion, kernel, depth) in enumerate(rows):
        values |= {f"block{group}_e": expansion, f"block{group}_k": kernel, f"block{group}_l": depth}
        values[f"block{group}_se"] = False
    space = create_space("accel-nasbench")
    spec = space.network(space.architecture(**values))
    assert spec.trainable_params == 2_501_160
    assert lower(spec).macs == 375_723_888
    assert published_macs(spec) == 415_361_072


def test_sizes_of_one_published_row_in_twenty(shared_data: Path):
    pd = pytest.importorskip("pandas")
    frame = pd.read_csv(shared_data / "accel_nasbench" / "accel_nasbench_dev.csv.gz")
    space = create_space("accel-nasbench")
    names = [choice.name for choice in space.choices]
    assert len(frame) == 4626
    for _, row in frame.iloc[::20].iterrows():
        spec = space.network(space.architecture(**{name: row[name] for name in names}))
        assert spec.trainable_params == round(row["params"] * 1e6)
        assert published_macs(spec) == round(row["macs"] * 1e6)


def test_size_of_the_space():
    assert create_space("accel-nasbench").size == 36**6 * 48


def test_a_table_is_no_image():
    with pytest.raises(InputError, match="expected an image such as 224x224x3"):
        create_space("accel-nasbench", (54,), 7)
