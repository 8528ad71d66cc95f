"""From a `NetworkSpec` to a Keras 3 model, on any backend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from models.time_layers import MAKERS as TIME_MAKERS
from searchspaces import layers
from searchspaces.errors import InputError
from searchspaces.spec import NetworkSpec


def build(spec: NetworkSpec, *, seed: int = 0, batch_norm_momentum: float | None = None) -> keras.Model:
    """A Keras model of the network, batch left open; layers carry the names of the spec's nodes.

    A network of one output without states maps a tensor to a tensor. Several outputs come as a dict by name; a network
    with states takes and returns dicts: its input and outputs by name, and every state by the state's name.

    Args:
        spec: the network; `spec.without_softmax()` gives the logits that training wants.
        seed: of the initial weights and of dropout; the same seed gives the same weights.
        batch_norm_momentum: in place of the spec's; small data wants statistics that follow faster.
    """
    graph = spec.graph
    nodes = graph.nodes
    seeds = np.random.SeedSequence(seed).generate_state(len(nodes))
    values: list[Any] = []
    for node, layer_seed in zip(nodes, seeds, strict=True):
        layer = node.layer
        if isinstance(layer, layers.Input):
            # Maps of a stream's frame are fed as they are held, with the frame in the batch axis.
            held = node.shape[1:] if len(node.shape) == 4 and values else node.shape
            values.append(keras.Input(held, name=node.name))
            continue
        inputs = [values[index] for index in node.inputs]
        fed = inputs if len(inputs) > 1 else inputs[0]
        if (over_time := TIME_MAKERS.get(type(layer))) is not None:
            values.append(over_time(layer, graph.input_shapes(node), node.name, int(layer_seed))(fed))
            continue
        make = _MAKERS.get(type(layer))
        if make is None:
            raise InputError(f"layer {node.name}: no Keras layer for {type(layer).__name__}; add one here.")
        if isinstance(layer, layers.BatchNorm) and batch_norm_momentum is not None:
            layer = replace(layer, momentum=batch_norm_momentum)
        values.append(make(layer, node.name, int(layer_seed))(fed))
    name = _identifier(spec.name)
    outputs = {output: values[node] for output, node in graph.outputs}
    if graph.states:
        inputs = {nodes[0].name: values[0], **{state.name: values[state.source] for state in graph.states}}
        outputs.update({state.name: values[state.result] for state in graph.states})
        return keras.Model(inputs, outputs, name=name)
    return keras.Model(values[0], outputs if len(outputs) > 1 else values[graph.outputs[0][1]], name=name)


def deployed_model(spec: NetworkSpec, model: keras.Model) -> keras.Model:
    """The form that runs (`spec.deployed`) with the weights of a model of `spec`; that model itself where it is it."""
    if spec.deployed is spec:
        return model
    running = build(spec.deployed)
    for layer in model.layers:
        if layer.weights:
            running.get_layer(layer.name).set_weights(layer.get_weights())
    return running


def _conv_init(seed: int) -> keras.initializers.Initializer:
    """He initialisation over the fan-out, as EfficientNet and its kin use it."""
    return keras.initializers.VarianceScaling(2.0, mode="fan_out", distribution="untruncated_normal", seed=seed)


def _conv(layer: layers.Conv2D, name: str, seed: int) -> keras.Layer:
    return keras.layers.Conv2D(
        layer.filters,
        layer.kernel,
        strides=layer.stride,
        padding="same",
        use_bias=layer.use_bias,
        kernel_initializer=_conv_init(seed),
        name=name,
    )


def _depthwise(layer: layers.DepthwiseConv2D, name: str, seed: int) -> keras.Layer:
    return keras.layers.DepthwiseConv2D(
        layer.kernel,
        strides=layer.stride,
        padding="same",
        use_bias=layer.use_bias,
        # Fan-out of a depthwise kernel counts its own taps only; Keras would count the channels in.
        depthwise_initializer=keras.initializers.RandomNormal(stddev=(2.0 / layer.kernel**2) ** 0.5, seed=seed),
        name=name,
    )


def _dense(layer: layers.Dense, name: str, seed: int) -> keras.Layer:
    init = keras.initializers.GlorotUniform(seed=seed)
    return keras.layers.Dense(layer.units, use_bias=layer.use_bias, kernel_initializer=init, name=name)


def _batch_norm(layer: layers.BatchNorm, name: str, seed: int) -> keras.Layer:
    return keras.layers.BatchNormalization(
        momentum=layer.momentum,
        epsilon=layer.epsilon,
        gamma_initializer="zeros" if layer.zero_gamma else "ones",
        name=name,
    )


def _rescale(layer: layers.Rescale, name: str, seed: int) -> keras.Layer:
    scale, offset = (values[0] if len(values) == 1 else list(values) for values in (layer.scale, layer.offset))
    return keras.layers.Rescaling(scale, offset=offset, name=name)


def _pool(layer: layers.GlobalAveragePool, name: str, seed: int) -> keras.Layer:
    return keras.layers.GlobalAveragePooling2D(keepdims=layer.keep_dims, name=name)


def _dropout(layer: layers.Dropout, name: str, seed: int) -> keras.Layer:
    noise = (None, 1, 1, 1) if layer.whole_example else None
    return keras.layers.Dropout(layer.rate, noise_shape=noise, seed=seed, name=name)


def _activation(layer: layers.Activation, name: str, seed: int) -> keras.Layer:
    return keras.layers.Activation(layer.name, name=name)


def _average_pool(layer: layers.AveragePool2D, name: str, seed: int) -> keras.Layer:
    return keras.layers.AveragePooling2D(layer.kernel, strides=layer.stride, padding="same", name=name)


def _concat(layer: layers.Concat, name: str, seed: int) -> keras.Layer:
    return keras.layers.Concatenate(axis=layer.axis if layer.axis < 0 else layer.axis + 1, name=name)


def _add(layer: layers.Add, name: str, seed: int) -> keras.Layer:
    return keras.layers.Add(name=name)


def _concat(layer: layers.Concat, name: str, seed: int) -> keras.Layer:
    return keras.layers.Concatenate(axis=layer.axis if layer.axis < 0 else layer.axis + 1, name=name)


def _reshape(layer: layers.Reshape, name: str, seed: int) -> keras.Layer:
    return keras.layers.Reshape(layer.shape, name=name)


def _multiply(layer: layers.Multiply, name: str, seed: int) -> keras.Layer:
    return keras.layers.Multiply(name=name)


_MAKERS: dict[type, Callable[[Any, str, int], keras.Layer]] = {
    layers.Activation: _activation,
    layers.Add: _add,
    layers.AveragePool2D: _average_pool,
    layers.BatchNorm: _batch_norm,
    layers.Concat: _concat,
    layers.Conv2D: _conv,
    layers.Dense: _dense,
    layers.DepthwiseConv2D: _depthwise,
    layers.Dropout: _dropout,
    layers.GlobalAveragePool: _pool,
    layers.Multiply: _multiply,
    layers.Rescale: _rescale,
    layers.Reshape: _reshape,
}


def _identifier(name: str) -> str:
    """Keras names take letters, digits and underscores."""
    return "".join(character if character.isalnum() else "_" for character in name)
