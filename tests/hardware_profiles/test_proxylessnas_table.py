"""The Pixel 1 table: figures worked out by hand from its rows, what it recognises, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from hardware_profiles.lower import lower
from hardware_profiles.op_graph import OpGraph
from hardware_profiles.proxylessnas_table import ProxylessNASTable, proxylessnas_values
from hardware_profiles.target import Target, load_target
from hardware_profiles.testing import check_target
from hardware_profiles.write_tflite import write_tflite
from searchspaces.catalog import create_space, named_network
from searchspaces.errors import InputError
from searchspaces.proxylessnas import ProxylessNAS
from searchspaces.space import Value

SPACE = ProxylessNAS()


@pytest.fixture(scope="module")
def pixel1() -> Target:
    return load_target("pixel1-cpu")


def uniform(kernel: int, expansion: int, *, depth: int) -> dict[str, Value]:
    """The first `depth` layers of every group, all of one kernel and expansion."""
    values: dict[str, Value] = {"activation": "relu", "separable_kernel": kernel}
    for group in range(1, 7):
        for layer in range(1, 5 if group < 6 else 2):
            if layer > 1:
                values[f"layer_{group}_{layer}"] = "bottleneck" if layer <= depth else "skip"
            if layer <= depth:
                values |= {f"kernel_{group}_{layer}": kernel, f"expansion_{group}_{layer}": expansion}
    return values


def graph_of(values: dict[str, Value], precision: str = "float32") -> OpGraph:
    return lower(SPACE.network(SPACE.architecture(**values)), precision=precision)  # type: ignore[arg-type]


def test_proxylessnas_mobile_costs_what_the_model_says(pixel1: Target) -> None:
    """The unrounded coefficients give 84.42; three decimals of twenty of them give 84.414."""
    cost = pixel1.cost(lower(named_network("proxylessnas-mobile").spec))
    assert cost.value == pytest.approx(84.42, abs=0.01)
    assert (cost.unit, cost.method, cost.precision, cost.runs) == ("ms", "predicted", "float32", 0)


def test_the_ends_of_the_space(pixel1: Target) -> None:
    assert pixel1.cost(graph_of(uniform(3, 3, depth=1))).value == pytest.approx(30.9, abs=0.05)
    assert pixel1.cost(graph_of(uniform(7, 6, depth=4))).value == pytest.approx(219.1, abs=0.05)


@pytest.mark.parametrize(("name", "latency_ms"), [("mnasnet-b1", 89.9), ("mobilenet-v2", 98.4)])
def test_operations_of_other_networks_at_the_widths_of_the_space(
    name: str, latency_ms: float, pixel1: ProxylessNASTable
) -> None:
    enlarged = create_space("proxylessnas-enlarged")
    values = enlarged.values(enlarged.reference(name))
    assert pixel1.latency_ms(values) == pytest.approx(latency_ms, abs=0.05)
    # The networks themselves have other widths, for which there is no table.
    with pytest.raises(InputError, match="pixel1-cpu: expected a network it has a table for"):
        pixel1.cost(lower(named_network(name).spec))


def test_random_networks_are_recognised_by_their_ops(pixel1: ProxylessNASTable) -> None:
    for architecture in SPACE.sample(np.random.default_rng(0), 20):
        graph = lower(SPACE.network(architecture))
        read = proxylessnas_values(graph)
        assert read is not None
        assert lower(SPACE.network(SPACE.architecture(**read))).signature == graph.signature
        assert pixel1.cost(graph).value == pytest.approx(pixel1.latency_ms(SPACE.values(architecture)))


def test_the_rescaling_of_a_task_and_a_class_for_the_background_are_let_through(pixel1: Target) -> None:
    spec = named_network("proxylessnas-mobile", None, 1001).spec.with_rescale((1 / 127.5,), (-1.0,))
    assert pixel1.unsupported(lower(spec)) == ()
    assert pixel1.cost(lower(spec)).value == pixel1.cost(lower(named_network("proxylessnas-mobile").spec)).value


def test_a_file_is_recognised_too(pixel1: Target, tmp_path: Path) -> None:
    path = tmp_path / "network.tflite"
    path.write_bytes(write_tflite(lower(named_network("proxylessnas-mobile").spec)))
    assert pixel1.cost_of_file(path).value == pytest.approx(84.42, abs=0.01)


def test_it_passes_the_conformance_kit_and_rules_nothing_out(pixel1: Target) -> None:
    check_target(pixel1, [graph_of(uniform(3, 3, depth=1)), graph_of(uniform(7, 6, depth=4))])
    assert (pixel1.validated, pixel1.may_gate) == (None, False)
    cost = pixel1.cost(graph_of(uniform(3, 3, depth=1)))
    assert (cost.low, cost.high, cost.spread) == (None, None, None)
    assert "never held against measurements" in cost.note


def truncated(graph: OpGraph) -> OpGraph:
    return replace(graph, ops=graph.ops[:-2])


SPEC = named_network("proxylessnas-mobile").spec
OTHER = "a network other than those of space proxylessnas"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: lower(SPEC, precision="int8"), "precision int8"),
        (lambda: lower(named_network("mobilenet-v3-large").spec), "unsupported op HARD_SWISH"),
        (lambda: lower(named_network("mobilenet-v2").spec), OTHER),
        (lambda: lower(named_network("mobilenet-multi-max").spec), OTHER),
        (lambda: lower(named_network("proxylessnas-mobile", (192, 192, 3)).spec), OTHER),
        (lambda: lower(named_network("proxylessnas-mobile", None, 10).spec), OTHER),
        (lambda: lower(SPEC, batch=2), OTHER),
        (lambda: lower(SPEC.without_softmax()), OTHER),
        (lambda: lower(named_network("tabnas-criteo").spec), "unsupported op LOGISTIC"),
        (lambda: lower(named_network("tabnas-volkert").spec), OTHER),
        (lambda: truncated(lower(SPEC)), OTHER),
    ],
    ids=range(11),
)
def test_anything_else_is_refused_with_the_reason(make: Callable[[], OpGraph], reason: str, pixel1: Target) -> None:
    graph = make()
    assert any(text.startswith(reason) for text in pixel1.unsupported(graph))
    with pytest.raises(InputError, match=rf"{reason}.*its numbers hold for space proxylessnas at 224x224x3"):
        pixel1.cost(graph)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "int8"}, "precision: expected float32 for pixel1-cpu, .* got 'int8'; leave it out"),
        ({"threads": 2}, "threads: expected 1 for pixel1-cpu"),
        ({"runs": 5}, "runs: expected none for pixel1-cpu"),
    ],
)
def test_a_table_has_no_runs_or_threads(options: dict[str, object], message: str, pixel1: Target) -> None:
    with pytest.raises(InputError, match=message):
        pixel1.cost(lower(SPEC), **options)  # type: ignore[arg-type]
    assert pixel1.cost(lower(SPEC), precision="float32", threads=1).threads == 1


SHIPPED = resources.files("hardware_profiles.targets").joinpath("pixel1-cpu.toml").read_text(encoding="utf-8")


def test_another_table_is_another_device(pixel1: Target, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(SHIPPED.replace("bias = 92.136", "bias = 90.0"))
    mine = load_target(path).cost(lower(SPEC))
    assert mine.value == pytest.approx(pixel1.cost(lower(SPEC)).value - 2.136)
    assert mine.fingerprint != pixel1.cost(lower(SPEC)).fingerprint


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("bias = 92.136\n", "", r"key coefficients\.bias: expected 1 numbers, got \[\]"),
        ("bias = 92.136", 'bias = "92"', r"key coefficients\.bias"),
        ("bias = 92.136", "bias = nan", r"key coefficients\.bias"),
        ("separable = [-1.753, 2.352, 8.227]", "separable = [-1.753, 2.352]", r"coefficients\.separable: expected 3"),
        ("later_2 = [-0.422, ", "later_2 = [", r"coefficients\.later_2: expected 7 numbers"),
        ("first_6", "first_7", "did you mean 'first_"),
    ],
)
def test_a_malformed_table_is_named_with_its_row(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    assert old in SHIPPED
    path.write_text(SHIPPED.replace(old, new))
    with pytest.raises(InputError, match=message) as raised:
        load_target(path)
    assert str(path) in str(raised.value)


def test_a_refit_from_noisy_timings_finds_what_options_differ_by(pixel1: Target) -> None:
    """The design is rank-deficient, so that only differences between options of one place can be found."""
    rng = np.random.default_rng(0)
    kinds = [(kernel, expansion) for kernel in (3, 5, 7) for expansion in (3, 6)]
    space = ProxylessNAS(activation="relu")
    features, latencies = [], []
    for architecture in space.sample(rng, 600):
        values = space.values(architecture)
        row = [float(values["separable_kernel"] == kernel) for kernel in (3, 5, 7)]
        for group in range(1, 7):
            for layer in range(1, 5 if group < 6 else 2):
                found = (values[f"kernel_{group}_{layer}"], values[f"expansion_{group}_{layer}"])
                row += [float(found == kind) for kind in kinds] + [float(found == (None, None))] * (layer > 1)
        features.append([1.0, *row])
        latencies.append(pixel1.cost(lower(space.network(architecture))).value + rng.normal(0, 0.1))
    design = np.array(features)
    # 144 weights and a constant: one less is free in each of 22 places.
    assert (design.shape[1] - 1, int(np.linalg.matrix_rank(design))) == (144, 145 - 22)
    weights = np.linalg.lstsq(design, np.array(latencies), rcond=None)[0]
    first = weights[4:10]
    # Of the first layer: k3e3 -4.025, k3e6 .270, k5e3 -2.305, k5e6 5.152, k7e3 1.889, k7e6 7.845; seven sigmas.
    assert first - first[0] == pytest.approx(np.array([-4.025, 0.270, -2.305, 5.152, 1.889, 7.845]) + 4.025, abs=0.1)
