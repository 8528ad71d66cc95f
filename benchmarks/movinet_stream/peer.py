"""A MoViNet stream of tf-models-official and its .tflite files; run by the interpreter that has that package installed.

`PYTHON peer.py NAME SIDE FRAMES FOLDER [PRECISION…]` writes FOLDER/weights.npz, frames.npz (the frames fed and the
logits of each), PRECISION.tflite and facts.json (seconds on the clock and of all processors). The network is built and
exported by the package's own `export_saved_model`, with the flags its README gives for streams on phones, and converted
as its `quantize_movinet` does. Nothing of this project is imported, since the two packages need different TensorFlows.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# oneDNN sums in another order than the kernels whose outputs are compared.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy as np
import tensorflow as tf
from official.projects.movinet.modeling import movinet, movinet_model
from official.projects.movinet.tools.export_saved_model import export_saved_model

_CLASSES = 600
_PACKAGES = ("tf-models-official", "tensorflow", "tf_keras")
# Clips that int8 conversion looks at, as ours does.
CALIBRATION_CLIPS = 2


def main(name: str, side: int, frames: int, folder: Path, precisions: list[str]) -> None:
    facts: dict[str, Any] = {"versions": {package: version(package) for package in _PACKAGES}, "precisions": {}}
    rng = np.random.default_rng(0)
    model = _build(name, side)
    _randomise(model, rng)
    np.savez(folder / "weights.npz", **{weight.name: weight.numpy() for weight in model.weights})
    clip = rng.random((frames, side, side, 3), dtype=np.float32)
    np.savez(folder / "frames.npz", frames=clip, logits=_run(model, clip))
    with tempfile.TemporaryDirectory() as saved:
        start = _now()
        export_saved_model(
            model=model,
            input_shape=(1, 1, side, side, 3),
            export_path=saved,
            causal=True,
            bundle_input_init_states_fn=False,
        )
        facts["export_s"] = _since(start)
        clips = rng.random((CALIBRATION_CLIPS, frames, side, side, 3), dtype=np.float32)
        for precision in precisions:
            start = _now()
            try:
                data = _convert(saved, model, precision, clips)
            except Exception as error:  # what the converter refuses is a finding, and written down
                facts["precisions"][precision] = {"error": str(error).strip()[:2000]}
            else:
                facts["precisions"][precision] = {"convert_s": _since(start)}
                (folder / f"{precision}.tflite").write_bytes(data)
            facts["peak_bytes"] = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            (folder / "facts.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(start: tuple[float, float]) -> tuple[float, ...]:
    """Seconds on the clock, and seconds of all processors together, which other work on the machine changes less."""
    return tuple(now - before for now, before in zip(_now(), start, strict=True))


def _build(name: str, side: int) -> Any:
    specs = tf.keras.layers.InputSpec(shape=(1, 1, side, side, 3))
    backbone = movinet.Movinet(
        model_id=name,
        causal=True,
        use_positional_encoding=False,
        conv_type="2plus1d",
        se_type="2plus3d",
        input_specs=specs,
        activation="hard_swish",
        gating_activation="hard_sigmoid",
        use_sync_bn=False,
        use_external_states=True,
    )
    model = movinet_model.MovinetClassifier(
        backbone, num_classes=_CLASSES, output_states=True, input_specs={"image": specs}, activation="hard_swish"
    )
    model.build((1, 1, side, side, 3))
    return model


def _randomise(model: Any, rng: np.random.Generator) -> None:
    """Weights that a trained network could have: nothing zero or one that a converter could leave out."""
    values = []
    for weight in model.weights:
        shape, kind = tuple(weight.shape), weight.name.rpartition("/")[2].partition(":")[0]
        if kind == "gamma" or kind == "moving_variance":
            value = rng.uniform(0.5, 1.5, shape)
        elif kind in ("beta", "moving_mean", "bias"):
            value = rng.normal(0, 0.1, shape)
        elif not shape or "rezero" in weight.name:
            value = rng.uniform(0.1, 0.4, shape)
        elif weight.name.startswith("classifier_head/classifier"):
            value = rng.normal(0, 0.02, shape)
        else:
            fan_in = np.prod(shape[:2]) if kind == "depthwise_kernel" else np.prod(shape[:-1])
            value = rng.normal(0, (2 / fan_in) ** 0.5, shape)
        values.append(np.asarray(value, np.float32))
    model.set_weights(values)


def _calls(model: Any, clip: np.ndarray) -> Iterator[tuple[dict[str, Any], Any]]:
    """Of each frame: what is fed (the frame and the states) and the logits."""
    states = model.init_states([1, 1, *clip.shape[1:]])
    call = tf.function(lambda fed: model(fed, training=False))
    for frame in clip:
        fed = {**states, "image": tf.constant(frame[None, None])}
        logits, states = call(fed)
        yield fed, logits


def _run(model: Any, clip: np.ndarray) -> np.ndarray:
    return np.stack([logits.numpy().reshape(-1) for _, logits in _calls(model, clip)])


def _convert(saved: str, model: Any, precision: str, clips: np.ndarray) -> bytes:
    converter = tf.lite.TFLiteConverter.from_saved_model(saved)
    if precision == "int8":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (fed for clip in clips for fed, _ in _calls(model, clip))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


if __name__ == "__main__":
    _, _name, _side, _frames, _folder, *_precisions = sys.argv
    main(_name, int(_side), int(_frames), Path(_folder), _precisions or ["float32", "int8"])
