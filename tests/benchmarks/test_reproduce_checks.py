"""The checks on networks small enough to count by hand, and what they refuse."""

from __future__ import annotations

import pytest

from benchmarks.reproduce.checks import CHECKS, run_check
from benchmarks.reproduce.networks import Networks
from searchspaces.errors import InputError


@pytest.fixture(scope="module")
def networks() -> Networks:
    return Networks()


@pytest.mark.parametrize(
    ("check", "value"),
    [
        # The EfficientNet-B0 of Keras: 5,330,571 values, of which 7 are its normalisation layer's.
        ("params efficientnet-b0", 5_330_564),
        ("trainable_params efficientnet-b0", 5_288_548),
        ("statistics efficientnet-b0", 42_016),
        ("params_without_batch_norm efficientnet-b0", 5_288_548 - 42_016),
        ("stored_bytes efficientnet-b0", 4 * 5_330_564),
        # 3x3 kernels from 3 to 32 channels, with batch norm, on half the side of 224.
        ("trainable_params efficientnet-b0 blocks=stem", 9 * 3 * 32 + 2 * 32),
        ("macs efficientnet-b0 blocks=stem", 112 * 112 * 9 * 3 * 32),
        ("macs efficientnet-b0 blocks=stem input=33x65x3", 17 * 33 * 9 * 3 * 32),
        ("macs efficientnet-b0 blocks=classifier", 1280 * 1000),
        ("trainable_params efficientnet-b0 blocks=pool,classifier", 1280 * 1000 + 1000),
        # A dense network's file holds its weights and biases.
        ("weight_bytes tabnas-higgs", 4 * 5265),
        ("block_count efficientnet-b0 stage*", 16),
        ("block_count efficientnet-b0 stem,stage1_*,head", 3),
        ("sides efficientnet-b0 blocks=stem,stage*", "224-112-112-56-28-14-14-7-7"),
        ("map_after efficientnet-b0 stage7_1", "7x7x320"),
        ("widths_divide_by 8 efficientnet-b0", "no"),
        ("widths_divide_by 2 efficientnet-b0", "yes"),
        ("output_sides bignas-max axis=channels", "1000"),
        ("lie_between params 4e6,5e6 bignas-min efficientnet-b0", "yes"),
        ("lie_between params 4e6,6e6 bignas-min efficientnet-b0", "no"),
        ("total params efficientnet-b0 tabnas-higgs", 5_330_564 + 5265),
        ("percent_less params efficientnet-b0 10661128", 50.0),
        ("percent_less macs efficientnet-b0 21676032 blocks=stem", 50.0),
        ("space_size tabnas", 168_400),
        ("space_size tabnas layers=2 width_1=8", 20),
        ("dense_params 2-4-2-1", 25),
        ("dense_under 25 2 1 2 widths=2-3-4", 6),
        # Two matrices of 5 x 3 and two of 3 x 3, then 3 to 4 and 4 to 1 with biases.
        ("predictor_params 3 features=5 layers=2 dense=4", 2 * 15 + 2 * 9 + 16 + 5),
        ("predictor_width 172", 144),
    ],
)
def test_values_counted_by_hand(networks: Networks, check: str, value: int | str) -> None:
    assert run_check(networks, check) == value


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ("parms efficientnet-b0", "did you mean 'params'"),
        ("params", "missing a required argument: 'network'"),
        ("params efficientnet-b0 twice", "too many positional arguments"),
        ("params efficientnet-b0 input=3x3x3", "unexpected keyword argument 'input'"),
        ("params efficientnet-b9", "did you mean 'efficientnet-b0'"),
        ("macs efficientnet-b0 input=big", "expected sizes such as 32x32x3"),
        ("macs efficientnet-b0 blocks=tail*", "expected patterns of block names .* it has stem, stage1_1"),
        ("sides efficientnet-b0", "missing a required argument: 'blocks'"),
        ("output_sides efficientnet-b0 axis=depth", "axis: expected one of"),
        ("largest_op_values efficientnet-b0 per=second", "per: expected one of"),
        ("lie_between sides 1 efficientnet-b0 efficientnet-b0", "missing a required argument"),
        ("total map_after efficientnet-b0 efficientnet-b0", "missing a required argument"),
        ("output_sides efficientnet-b0 axis=height", "expected outputs that have a height"),
        ("percent_less output_sides efficientnet-b0 3 axis=channels", "expected one that gives a number"),
        ("latency host-cpu proxylessnas-mobile", "expected one that predicts, got a measured one"),
        ("latency pixel1-cpu efficientnet-b0", "unsupported op LOGISTIC"),
        ("relative_latency best mobilenet-v2 mobilenet-v2", "metric: expected one of"),
        ("relative_latency worst efficientnet-b0 mobilenet-v2", "one or more devices"),
        ("dense_params 2-four-1", "expected whole numbers"),
        ("dense_params", "missing a required argument: 'sizes'"),
        ("space_size bignsa", "did you mean 'bignas'"),
        ("space_size tabnas layers=9", "choice layers"),
        ("toy_share 4-5 rejection 5", "network of the toy example: expected one of"),
        ("toy_share 4-2 rejecton 5", "did you mean 'rejection'"),
        ("toy_found rejection some", "correction: expected a number of samples, exact or none, got 'some'"),
        ("toy_found absolute much", "beta: expected a number of 0 or less, got 'much'"),
        ("toy_feasible absolute 1", "beta: expected 0 or less"),
        ("target_latency absolut -0.1", "did you mean 'absolute'"),
        ("relative_of_search best worst", "metric: expected one of"),
        ("total target_latency absolute -0.1", "missing a required argument"),
    ],
)
def test_a_check_that_cannot_run_says_why(networks: Networks, check: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        run_check(networks, check)


def test_the_parts_of_a_network_add_up(networks: Networks) -> None:
    for check in ("macs", "trainable_params"):
        parts = [run_check(networks, f"{check} efficientnet-b0 blocks={patterns}") for patterns in ("s*", "[!s]*")]
        assert sum(map(int, parts)) == run_check(networks, f"{check} efficientnet-b0")
        assert all(parts)


def test_the_largest_convolution(networks: Networks) -> None:
    # The depthwise convolution that opens stage 2: 96 channels, from maps of side 112 to maps of side 56.
    values = 96 * (112 * 112 + 56 * 56)
    assert run_check(networks, "largest_op_values efficientnet-b0") == values
    assert run_check(networks, "largest_op_bytes efficientnet-b0") == 4 * values


def test_a_clip_as_a_stream_is_its_frames_and_one_verdict(networks: Networks) -> None:
    # Only the two dense layers wait for the end of the clip: 480 to 2048 to 600 classes.
    frame, clip = (
        run_check(networks, f"{check} movinet-a0-stream{once}")
        for check, once in (("frame_macs", ""), ("clip_macs", " once=hidden,classifier"))
    )
    dense = 480 * 2048 + 2048 * 600
    assert clip == 50 * (int(frame) - dense) + dense
    with pytest.raises(InputError, match="expected one for clips"):
        run_check(networks, "frames_per_second efficientnet-b0")


def test_networks_within_a_limit_are_counted_as_one_by_one(networks: Networks) -> None:
    found = run_check(networks, "dense_under 300 5 3 2 widths=8-16-24")
    sizes = [run_check(networks, f"dense_params 5-{a}-{b}-3") for a in (8, 16, 24) for b in (8, 16, 24)]
    assert found == sum(int(size) <= 300 for size in sizes) == 3


def test_every_check_says_what_it_finds() -> None:
    assert [name for name, check in CHECKS.items() if not check.__doc__] == []
