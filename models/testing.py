"""The conformance kit of what is built from search spaces: Keras and TFLite agree with the network's plain data.

What turns networks into op graphs and models into files is passed in, so that this package depends on neither.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from searchspaces.blocks import RescaleBlock
from searchspaces.space import SearchSpace
from searchspaces.spec import NetworkSpec

_CLIP_FRAMES = 3


class OpGraphLike(Protocol):
    """An op graph that can be compared."""

    @property
    def signature(self) -> tuple[tuple[object, ...], ...]:
        """Every op with its attributes and shapes."""
        ...

    @property
    def output_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the outputs, with the batch, in their order."""
        ...


class Lower(Protocol):
    """`hardware_profiles.lower.lower`."""

    def __call__(self, spec: NetworkSpec, *, precision: str) -> OpGraphLike: ...


class Convert(Protocol):
    """`nas.export.convert.convert`."""

    def __call__(self, model: Any, *, precision: str, calibration: NDArray[Any]) -> bytes: ...


def check_space_builds(
    space: SearchSpace,
    *,
    lower: Lower,
    convert: Convert,
    read_tflite: Callable[[bytes], OpGraphLike],
    precisions: Sequence[str] = ("float32", "int8"),
    count: int = 2,
    seed: int = 0,
) -> None:
    """`check_network_builds` for `count` random networks of a space; a conversion takes some seconds.

    Raises:
        AssertionError: a network's Keras model or converted file is not what the network says.
    """
    rng = np.random.default_rng(seed)
    for architecture in space.sample(rng, count):
        check_network_builds(
            space.network(architecture),
            lower=lower,
            convert=convert,
            read_tflite=read_tflite,
            precisions=precisions,
            seed=seed,
        )


def check_network_builds(
    spec: NetworkSpec,
    *,
    lower: Lower,
    convert: Convert,
    read_tflite: Callable[[bytes], OpGraphLike],
    precisions: Sequence[str] = ("float32", "int8"),
    seed: int = 0,
) -> None:
    """The Keras model stores exactly the network's parameters, and its file holds the ops that `lower` foretells.

    Images and clips get a random rescale in front, as exported networks have one, unless the network begins with its
    own. A causal network for clips is looked at in the form that runs, frame by frame.

    Raises:
        AssertionError: parameters or ops differ; the message says where.
    """
    from models.builder import build

    rng = np.random.default_rng(seed)
    if len(spec.input_shape) >= 3 and not isinstance(spec.blocks[0], RescaleBlock):
        channels = spec.input_shape[-1]
        spec = spec.with_rescale(tuple(rng.uniform(0.1, 0.5, channels)), tuple(rng.uniform(-1.0, -0.1, channels)))
    spec = spec.deployed
    model = build(spec, seed=seed)
    _require_equal(spec.params, model.count_params(), f"params of {spec.name}")
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    _require_equal(spec.trainable_params, trainable, f"trainable_params of {spec.name}")
    outputs = model.output if isinstance(model.output, dict) else dict.fromkeys(spec.output_shapes, model.output)
    shapes = {name: tuple(outputs[name].shape[1:]) for name in spec.output_shapes}
    _require_equal(spec.output_shapes, shapes, f"output_shapes of {spec.name}")
    randomise_vectors(model, rng)
    clip = (_CLIP_FRAMES, *spec.input_shape[1:]) if spec.streaming else spec.input_shape
    calibration = rng.random((4, *clip), dtype=np.float32)
    for precision in precisions:
        expected = lower(spec, precision=precision)
        converted = read_tflite(convert(model, precision=precision, calibration=calibration))
        for number, (left, right) in enumerate(zip(expected.signature, converted.signature, strict=False)):
            _require_equal(left, right, f"op {number} of {spec.name} in {precision}")
        for what, left, right in (
            ("op count", len(expected.signature), len(converted.signature)),
            ("outputs", expected.output_shapes, converted.output_shapes),
        ):
            _require_equal(left, right, f"{what} of {spec.name} in {precision}")


def randomise_vectors(model: Any, rng: np.random.Generator) -> None:
    """Give biases, factors and batch-norm weights positive values: the converter leaves out what is zero or one."""
    weights = model.get_weights()
    model.set_weights([np.asarray(rng.uniform(0.5, 1.5, each.shape)) if each.ndim < 2 else each for each in weights])


def _require_equal(expected: object, found: object, what: str) -> None:
    if expected != found:
        raise AssertionError(f"{what}: expected {expected}, got {found}")
