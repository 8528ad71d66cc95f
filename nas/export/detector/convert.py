"""A detector as a .tflite file: its two raw heads, or with decoding and suppression as TFLite's own operator.

The converter makes that operator from a function whose `tf_implements` attribute names it; what the function itself
does is thrown away. LiteRT has its kernel built in, on the CPU; an accelerator runs the network up to it.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hardware_profiles.op_order import reorder_tflite
from hardware_profiles.read_tflite import read_tflite
from models.detection.coder import SCALES
from models.detection.postprocess import PostProcessing
from nas.export.convert import (
    Precision,
    check_conversion,
    checked_calibration,
    convert,
    converting,
    feed,
    foreign_ops,
    make_converter,
)
from nas.export.freeze import freeze

POST_PROCESS: Final = "TFLite_Detection_PostProcess"
# The operator's outputs, in its order.
OUTPUTS: Final = ("boxes", "classes", "scores", "count")


def convert_detector(
    model: Any,
    anchors: NDArray[np.float32],
    *,
    precision: Precision = "float32",
    calibration: NDArray[Any] | None = None,
    nms: PostProcessing | None = None,
) -> bytes:
    """The .tflite file of a Keras detector at batch 1.

    Without `nms` it gives the heads: box codes [1, A, 4], then class logits [1, A, classes + 1]. With it, it gives
    what the operator gives, in float32 at every precision: boxes [1, D, 4] as shares (beyond 0 to 1 where they reach
    beyond the picture), classes [1, D] from 0, scores [1, D], and how many of the D rows count [1].

    Args:
        anchors: [A, 4], centres.
        precision, calibration: as in `nas.export.convert.convert`, with its errors.
        nms: what the operator keeps.
    """
    if nms is None:
        return convert(model, precision=precision, calibration=calibration)
    check_conversion(precision)
    import tensorflow as tf

    examples = checked_calibration(model, calibration) if precision == "int8" else None
    function, module = _with_post_processing(freeze(model).function, model.input_shape[1:], anchors, nms)
    with converting(precision):
        converter = make_converter(precision, function, module)
        converter.allow_custom_ops = True
        if examples is not None:
            converter.inference_input_type = tf.int8
            converter.representative_dataset = lambda: feed(examples)
        data = converter.convert()
    check_custom_ops(data)
    return reorder_tflite(data)


def check_custom_ops(tflite: bytes) -> None:
    """Refuse others: with one custom operator allowed, the converter writes every op it does not know as one."""
    found = {kind.partition(":")[2] for kind in read_tflite(tflite).op_counts if kind.startswith("CUSTOM:")}
    if found - {POST_PROCESS}:
        raise foreign_ops(sorted(found - {POST_PROCESS}))


def _with_post_processing(
    heads: Any, input_shape: tuple[int, ...], anchors: NDArray[np.float32], nms: PostProcessing
) -> tuple[Any, Any]:
    """The frozen heads and the operator's stand-in, as a function and the module it belongs to."""
    import tensorflow as tf

    count, room = len(anchors), nms.max_detections
    classes = int(heads.outputs[1].shape[-1]) - 1
    floats = [(1, room, 4), (1, room), (1, room), (1,)]

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[
            tf.TensorSpec((1, count, 4)),
            tf.TensorSpec((1, count, classes + 1)),
            tf.TensorSpec((count, 4)),
        ],
        experimental_implements=_attributes(classes, nms),
    )
    def post_process(boxes: Any, scores: Any, anchors: Any) -> tuple[Any, ...]:
        return tuple(tf.zeros(shape) for shape in floats)

    class Detector(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec((1, *input_shape), name="input")])  # type: ignore[untyped-decorator]
        def __call__(self, x: Any) -> dict[str, Any]:
            boxes, scores = heads(x)
            return dict(zip(OUTPUTS, post_process(boxes, tf.sigmoid(scores), tf.constant(anchors)), strict=True))

    module = Detector()
    return module.__call__.get_concrete_function(), module


def _attributes(classes: int, nms: PostProcessing) -> str:
    """The operator's name and options, as the text of a `NameAttrList`."""
    y_scale, x_scale, height_scale, width_scale = SCALES
    options = {
        "max_detections": f"i: {nms.max_detections}",
        "max_classes_per_detection": "i: 1",
        "detections_per_class": f"i: {nms.max_per_class}",
        # Class by class; the fast kind looks at each anchor's best class only.
        "use_regular_nms": "b: true",
        "nms_score_threshold": f"f: {nms.score_threshold}",
        "nms_iou_threshold": f"f: {nms.iou_threshold}",
        "y_scale": f"f: {y_scale}",
        "x_scale": f"f: {x_scale}",
        "h_scale": f"f: {height_scale}",
        "w_scale": f"f: {width_scale}",
        "num_classes": f"i: {classes}",
    }
    attributes = (f'attr {{ key: "{name}" value {{ {value} }} }}' for name, value in options.items())
    return " ".join((f'name: "{POST_PROCESS}"', *attributes))
