"""Weights of a MoViNet stream of tf-models-official in the Keras model of ours: the same network by other names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from searchspaces.errors import InputError

# What a name begins with there, and the layer here; `{}` is the block.
_LAYERS: Final = (
    (r"stem/stem/conv2d/conv2d", "stem_conv"),
    (r"stem/stem/conv2d/bn", "stem_bn"),
    (r"{}/bneck/expansion/conv2d/conv2d", "{}_expand"),
    (r"{}/bneck/expansion/conv2d/bn", "{}_expand_bn"),
    (r"{}/bneck/feature/conv2d/depthwise_conv2d", "{}_depthwise"),
    (r"{}/bneck/feature/conv2d/bn", "{}_depthwise_bn"),
    (r"{}/bneck/feature/conv2d_temporal/depthwise_conv2d", "{}_temporal"),
    (r"{}/bneck/feature/conv2d_temporal/bn_temporal", "{}_temporal_bn"),
    (r"{}/bneck/se/se_reduce/conv2d/conv2d", "{}_se_reduce"),
    (r"{}/bneck/se/se_expand/conv2d/conv2d", "{}_se_expand"),
    (r"{}/bneck/projection/conv2d/conv2d", "{}_project"),
    (r"{}/bneck/projection/conv2d/bn", "{}_project_bn"),
    (r"{}/bneck/skip/skip_project/conv2d/conv2d", "{}_skip"),
    (r"{}/bneck/skip/skip_project/conv2d/bn", "{}_skip_bn"),
    (r"head/project/conv2d/conv2d", "head_conv"),
    (r"head/project/conv2d/bn", "head_bn"),
    (r"classifier_head/head/conv2d/conv2d", "hidden_dense"),
    (r"classifier_head/classifier/conv2d/conv2d", "classifier_dense"),
)
_BLOCK = re.compile(r"block(?P<block>\d+)_layer(?P<layer>\d+)")


def our_name(name: str) -> str:
    """The path of our weight for one of theirs, such as ``block1_layer0/bneck/expansion/conv2d/conv2d/kernel:0``.

    Raises:
        InputError: it is no weight of a MoViNet stream as that package names them.
    """
    layer, _, weight = name.partition(":")[0].rpartition("/")
    found = _BLOCK.match(layer)
    theirs, ours = "", ""
    if found is not None:
        theirs, ours = found[0], f"block{int(found['block']) + 1}_{int(found['layer']) + 1}"
        if layer == theirs and weight == "scale":
            return f"{ours}_rezero/factor"
    for pattern, place in _LAYERS:
        # Keras 2 numbers layers of one kind.
        if re.fullmatch(pattern.format(re.escape(theirs)) + r"(_\d+)?", layer):
            return f"{place.format(ours)}/{'kernel' if weight == 'depthwise_kernel' else weight}"
    raise InputError(f"weight {name}: expected one of a MoViNet stream, got another; compare like with like.")


def load_weights(model: Any, weights: Mapping[str, NDArray[np.float32]]) -> None:
    """Fill every weight of our Keras model from theirs; 1×1 convolutions over one position are dense layers here.

    Raises:
        InputError: a weight that one side lacks, or of another shape.
    """
    given = {our_name(name): value for name, value in weights.items()}
    wanted = {weight.path: weight for weight in model.weights if "seed_generator" not in weight.path}
    if given.keys() != wanted.keys():
        apart = sorted(given.keys() ^ wanted.keys())
        raise InputError(f"weights: expected the same on both sides, {apart[0]} and {len(apart) - 1} more are on one.")
    for path, weight in wanted.items():
        value = given[path]
        shape = tuple(weight.shape)
        if value.shape != shape and value.shape != (1, 1, *shape):
            raise InputError(f"weight {path}: expected shape {shape}, got {value.shape}; compare like with like.")
        weight.assign(value.reshape(shape))
