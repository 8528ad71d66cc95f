from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware_profiles.multi_hardware import average_case, relative_latencies, worst_case
from searchspaces.errors import InputError

# Chu et al.'s two networks and MobileNetV2 on five devices, from the MobileNetV4 paper's table.
DEVICES = ("Pixel 6 CPU", "Pixel 8 EdgeTPU", "Pixel 4 Hexagon", "Pixel 7 GPU", "S23 GPU")
V2, MULTI_MAX, MULTI_AVG = (
    dict(zip(DEVICES, row, strict=True))
    for row in ((5.0, 0.7, 3.9, 13.6, 2.5), (9.8, 1.0, 5.7, 23.2, 4.1), (12.0, 1.1, 6.1, 20.3, 4.5))
)
RATIOS = st.dictionaries(st.text(min_size=1), st.floats(1e-3, 1e3), min_size=1, max_size=8)


def test_published_networks_against_mobilenet_v2() -> None:
    most, mean = relative_latencies(MULTI_MAX, V2), relative_latencies(MULTI_AVG, V2)
    assert [round(ratio, 2) for ratio in most.values()] == [1.96, 1.43, 1.46, 1.71, 1.64]
    assert [round(ratio, 2) for ratio in mean.values()] == [2.40, 1.57, 1.56, 1.49, 1.80]
    assert (round(average_case(most), 2), round(worst_case(most), 2)) == (1.64, 1.96)
    assert (round(average_case(mean), 2), round(worst_case(mean), 2)) == (1.77, 2.40)


@given(RATIOS)
def test_the_average_lies_among_the_ratios_and_below_the_worst(relative: dict[str, float]) -> None:
    average = average_case(relative)
    assert min(relative.values()) * (1 - 1e-9) <= average <= worst_case(relative) * (1 + 1e-9)


@given(RATIOS, st.floats(0.01, 100), st.floats(0.01, 100))
def test_weights_count_by_their_shares(relative: dict[str, float], weight: float, scale: float) -> None:
    weights = {device: weight + index for index, device in enumerate(relative)}
    scaled = {device: scale * each for device, each in weights.items()}
    assert average_case(relative, scaled) == pytest.approx(average_case(relative, weights))
    alone = {device: float(index == 0) for index, device in enumerate(relative)}
    assert average_case(relative, alone) == next(iter(relative.values()))


@given(RATIOS)
def test_a_network_is_one_of_itself(latency_ms: dict[str, float]) -> None:
    relative = relative_latencies(latency_ms, latency_ms)
    assert average_case(relative) == worst_case(relative) == 1


@pytest.mark.parametrize(
    ("latency_ms", "reference_ms", "words"),
    [
        ({}, {}, "one or more devices"),
        ({"a": 1.0}, {}, "reference_ms: expected one for each"),
        ({"a": 1.0}, {"a": 1.0, "b": 2.0}, "on the same devices"),
        ({"a": 0.0}, {"a": 1.0}, "latency_ms of a: expected milliseconds above 0"),
        ({"a": 1.0}, {"a": -1.0}, "reference_ms of a"),
        ({"a": float("nan")}, {"a": 1.0}, "got nan"),
        ({"a": 1.0}, {"a": float("inf")}, "got inf"),
    ],
)
def test_latencies_that_cannot_be_compared(
    latency_ms: dict[str, float], reference_ms: dict[str, float], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        relative_latencies(latency_ms, reference_ms)


@pytest.mark.parametrize("weights", [{}, {"a": 1.0}, {"a": -1.0, "b": 2.0}, {"a": 0.0, "b": 0.0}])
def test_weights_that_weigh_nothing(weights: dict[str, float]) -> None:
    with pytest.raises(InputError, match="weights: expected one"):
        average_case({"a": 1.0, "b": 2.0}, weights)


def test_no_devices_have_no_worst() -> None:
    with pytest.raises(InputError, match="one or more devices"):
        worst_case({})
