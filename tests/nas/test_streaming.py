"""Streams: the .tflite files are made here by TensorFlow's own converter, and checked against its signature runner."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from hardware_profiles.litert import open_interpreter
from hardware_profiles.lower import lower
from hardware_profiles.write_tflite import write_tflite
from nas.export.metadata import embed_metadata
from nas.export.predict import predict_litert
from nas.frameworks import load_keras
from nas.quantization import dequantize, quantize
from nas.streaming.classifier import StreamingClassifier, softmax
from nas.streaming.ensemble import TemporalEnsemble, temporal_ensemble
from searchspaces.errors import InputError, MissingError
from searchspaces.tabnas import TabNAS

Write = Callable[..., Path]
Convert = Callable[..., bytes]
SHAPE = (6, 8, 3)
LABELS = ["left", "right", "up", "down"]
RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(3, 4)).astype(np.float32)
CLIP = RNG.integers(0, 256, (10, *SHAPE), np.uint8)
METADATA = {"class_names": LABELS, "preprocessing": {"kind": "video", "host": {}}}


def running_mean(image: Any, state_count: Any, state_sum: Any, scale: float = 4 / 255) -> dict[str, Any]:
    """Logits of the mean colour of all frames so far; the count is kept in tenths, so that int8 can hold it."""
    import tensorflow as tf

    count, total = state_count + 0.1, state_sum + tf.reduce_mean(image * scale, axis=[1, 2, 3]) * 0.1
    return {"logits": tf.matmul(total / count, WEIGHTS), "state_count": count, "state_sum": total}


def expected_logits(clip: np.ndarray) -> np.ndarray:
    """What `running_mean` says after each frame, in NumPy."""
    means = (clip.astype(np.float64) * (4 / 255)).mean(axis=(1, 2))
    return (np.cumsum(means, axis=0) / np.arange(1, len(clip) + 1)[:, None]) @ WEIGHTS


MEAN_STATES = {"state_count": (1, 1), "state_sum": (1, 3)}


@pytest.fixture(scope="module")
def bare_file(convert_stream: Convert) -> bytes:
    """Without metadata."""
    return convert_stream(running_mean, MEAN_STATES)


@pytest.fixture(scope="module")
def mean_file(bare_file: bytes) -> bytes:
    return embed_metadata(bare_file, METADATA)


@pytest.fixture(scope="module")
def int8_file(convert_stream: Convert) -> bytes:
    return embed_metadata(convert_stream(running_mean, MEAN_STATES, calibration=CLIP), METADATA)


@pytest.fixture(scope="module")
def register_file(convert_stream: Convert) -> bytes:
    """Hands states on unchanged, and answers with the frame before the last; probabilities, no metadata."""

    def step(image: Any, state_first: Any, state_second: Any) -> dict[str, Any]:
        import tensorflow as tf

        mean = tf.reduce_mean(image * (1 / 255), axis=[1, 2, 3])
        answer = tf.nn.softmax(tf.matmul(state_second, WEIGHTS))
        return {"probabilities": answer, "state_first": mean, "state_second": state_first}

    return convert_stream(step, {"state_first": (1, 3), "state_second": (1, 3)})


# -- one frame at a time -----------------------------------------------------------------------------------------------


def test_a_stream_says_what_the_clip_so_far_says(mean_file: bytes) -> None:
    stream = StreamingClassifier(mean_file)
    assert stream.frame_shape == SHAPE and stream.labels == tuple(LABELS)
    assert stream.state_bytes == 16 and stream.signature.kind == "logits"
    expected = softmax(expected_logits(CLIP))
    for number, frame in enumerate(CLIP):
        answer = stream.update(frame)
        assert answer.shape == (4,) and answer.dtype == np.float32
        assert answer == pytest.approx(expected[number], abs=1e-5)
        assert stream.frames_seen == number + 1
    best = stream.top(answer, 2)
    assert [name for name, _ in best] == [LABELS[place] for place in np.argsort(-answer)[:2]]
    assert best[0][1] == pytest.approx(answer.max())


def test_reset_forgets_every_frame(mean_file: bytes) -> None:
    stream = StreamingClassifier(mean_file)
    first = [stream.update(frame) for frame in CLIP[:3]]
    assert not np.array_equal(stream.update(CLIP[0]), first[0])
    stream.reset()
    assert stream.frames_seen == 0
    assert all(np.array_equal(stream.update(frame), answer) for frame, answer in zip(CLIP, first, strict=False))


@pytest.mark.parametrize("name", ["mean_file", "int8_file", "register_file"])
def test_every_step_is_that_of_the_signature_runner(name: str, request: pytest.FixtureRequest) -> None:
    data = request.getfixturevalue(name)
    stream, interpreter = StreamingClassifier(data), open_interpreter(data)
    runner = interpreter.get_signature_runner()
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    answer_name = next(each for each in ("logits", "probabilities") if each in outputs)
    states = {
        each: quantize(np.zeros(details["shape"], np.float32), details)
        for each, details in inputs.items()
        if each != "image"
    }
    for frame in CLIP:
        found = runner(image=quantize(frame[None, None], inputs["image"]), **states)
        answer = dequantize(found.pop(answer_name), outputs[answer_name])[0]
        states = {each: quantize(dequantize(raw, outputs[each]), inputs[each]) for each, raw in found.items()}
        told = stream.update_logits(frame) if answer_name == "logits" else stream.update(frame)
        assert told == pytest.approx(answer, abs=1e-6)


def test_states_that_are_handed_on_keep_their_order(register_file: bytes) -> None:
    stream = StreamingClassifier(register_file)
    assert stream.labels == ("0", "1", "2", "3")
    means = (CLIP / 255.0).mean(axis=(1, 2))
    seen = np.concatenate([np.zeros((2, 3)), means])
    for number, answer in enumerate(stream.run(CLIP)):
        assert answer == pytest.approx(softmax(seen[number] @ WEIGHTS), abs=1e-5)


def test_a_state_can_be_a_number_without_axes(convert_stream: Convert) -> None:
    stream = StreamingClassifier(convert_stream(running_mean, {"state_count": (), "state_sum": (1, 3)}))
    for _ in range(2):
        answers = np.stack(list(stream.run(CLIP)))
        assert answers == pytest.approx(softmax(expected_logits(CLIP)), abs=1e-5)


def test_probabilities_have_logits(register_file: bytes) -> None:
    stream, other = StreamingClassifier(register_file), StreamingClassifier(register_file)
    for frame in CLIP:
        assert softmax(stream.update_logits(frame)) == pytest.approx(other.update(frame), abs=1e-6)


def test_int8_streams_are_near_the_float_one(int8_file: bytes) -> None:
    stream = StreamingClassifier(int8_file)
    assert stream.state_bytes == 4
    for details in (stream.signature.frame, stream.signature.states[0].source):
        assert np.dtype(details["dtype"]) == np.int8
    answers = np.stack(list(stream.run(CLIP)))
    # 8 bits for states that are summed ten times: a coarse network, but the same one.
    assert np.abs(answers - softmax(expected_logits(CLIP))).max() < 0.15
    again = np.stack(list(stream.run(CLIP)))
    assert np.array_equal(answers, again), "the zero of an int8 state is its zero point"


def test_equal_quantisation_is_handed_on_as_raw_numbers(int8_file: bytes) -> None:
    """A state whose scale differs between output and input is requantised; one of equal scale is not touched."""
    from dataclasses import replace

    stream = StreamingClassifier(int8_file)
    state = stream.signature.states[1]
    alike = replace(state, result={**state.result, "quantization": state.source["quantization"]})
    other = replace(state, result={**state.result, "quantization": (2 * state.source["quantization"][0], 0)})
    assert alike.is_same_type and not other.is_same_type
    raw = np.array([[-7, 5, 60]], np.int8)
    stream._feed(alike, raw)
    assert stream._tensor(state.source).tolist() == raw.tolist()
    stream._feed(other, raw)
    _, zero_point = state.source["quantization"]
    wanted = np.clip(np.rint(2.0 * raw) + zero_point, -128, 127)
    assert stream._tensor(state.source).tolist() == wanted.tolist()


def test_memory_does_not_grow_with_the_clip(mean_file: bytes) -> None:
    stream = StreamingClassifier(mean_file)

    def feed(count: int) -> int:
        """Bytes that Python and NumPy hold more after `count` frames than before."""
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for answer in stream.run(CLIP[number % 10] for number in range(count)):
            assert answer.shape == (4,)
        del answer
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before

    feed(8)
    tracemalloc.start()
    try:
        feed(8)
        growth = [feed(count) for count in (8, 64, 512)]
    finally:
        tracemalloc.stop()
    # A kept frame would be 144 bytes, a kept answer over 100: 512 of them some 50,000 and more.
    assert max(growth) < 4096, growth


def test_float_frames_are_raw_pixel_values(mean_file: bytes) -> None:
    stream = StreamingClassifier(mean_file)
    as_bytes = stream.update(CLIP[0])
    stream.reset()
    assert np.array_equal(stream.update(CLIP[0].astype(np.float32)), as_bytes)


@pytest.mark.parametrize("name", ["mean_file", "int8_file", "register_file"])
def test_an_export_is_checked_on_whole_clips(name: str, request: pytest.FixtureRequest) -> None:
    """Each clip begins anew, and its last answer counts; the stride of the metadata is that of the clips already."""
    data = request.getfixturevalue(name)
    clips = np.stack([CLIP[:4], CLIP[3:7], CLIP[6:]])
    found, stream = predict_litert(data, clips), StreamingClassifier(data)
    for clip, answer in zip(clips, found, strict=True):
        *_, last = stream.run(clip)
        assert np.array_equal(answer, last)
    with pytest.raises(InputError, match=r"expected frames of shape \(8, 6, 3\), as the task's clips, got \(6, 8, 3\)"):
        predict_litert(data, clips.swapaxes(2, 3))


# -- sources -----------------------------------------------------------------------------------------------------------


def test_every_kind_of_source_gives_the_same(
    mean_file: bytes, tmp_path: Path, write_video: Write, write_frames: Write
) -> None:
    (tmp_path / "s.tflite").write_bytes(mean_file)
    stream = StreamingClassifier(tmp_path / "s.tflite")
    expected = np.stack([stream.update(frame) for frame in CLIP])
    video, folder = write_video(tmp_path / "a.mkv", CLIP), write_frames(tmp_path / "frames", CLIP)
    for source in (CLIP, list(CLIP), iter(CLIP), (frame for frame in CLIP), video, str(video), folder):
        assert np.array_equal(np.stack(list(stream.run(source))), expected)
    assert np.array_equal(np.stack(list(stream.run(str(folder)))), expected)


def test_stride_feeds_fewer_frames(mean_file: bytes, tmp_path: Path, write_video: Write, write_frames: Write) -> None:
    stream = StreamingClassifier(mean_file)
    expected = np.stack(list(stream.run(CLIP[::3])))
    video, folder = write_video(tmp_path / "a.mkv", CLIP), write_frames(tmp_path / "frames", CLIP)
    for source in (CLIP, iter(CLIP), video, folder):
        assert np.array_equal(np.stack(list(stream.run(source, stride=3))), expected)


@pytest.mark.parametrize(("options", "step"), [({"stride": 2}, 2), ({"fps": 5}, 2), ({}, 1)])
def test_a_stream_is_fed_as_it_was_trained(
    options: dict[str, object], step: int, bare_file: bytes, tmp_path: Path, write_video: Write
) -> None:
    host = {"frames": 4, "stride": None, "fps": None, "short": "refuse", **options}
    stream = StreamingClassifier(embed_metadata(bare_file, {"preprocessing": {"kind": "video", "host": host}}))
    video = write_video(tmp_path / "a.mkv", CLIP, rate=10)
    expected = np.stack(list(stream.run(CLIP[::step], stride=1)))
    assert np.array_equal(np.stack(list(stream.run(video))), expected)
    # Without a rate, frames are taken to come at the trained one.
    unpaced = CLIP if "stride" in options else CLIP[::step]
    assert np.array_equal(np.stack(list(stream.run(unpaced))), expected)
    assert len(list(stream.run(video, stride=1))) == 10


class FakeCapture:
    """OpenCV's capture of a camera that has three frames, blue first."""

    opened: list[FakeCapture]

    def __init__(self, index: int) -> None:
        self.index, self.left, self.released = index, [frame[..., ::-1] for frame in CLIP[:3]], False
        FakeCapture.opened.append(self)

    def isOpened(self) -> bool:
        return self.index == 0

    def read(self) -> tuple[bool, np.ndarray | None]:
        return (True, self.left.pop(0)) if self.left else (False, None)

    def release(self) -> None:
        self.released = True


def test_a_camera_is_read_through_opencv(mean_file: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("cv2")
    module.VideoCapture = FakeCapture  # type: ignore[attr-defined]
    FakeCapture.opened = []
    monkeypatch.setitem(sys.modules, "cv2", module)
    stream = StreamingClassifier(mean_file)
    expected = np.stack([stream.update(frame) for frame in CLIP[:3]])
    assert np.array_equal(np.stack(list(stream.run(0))), expected)
    next(running := stream.run(0))
    running.close()
    assert [capture.released for capture in FakeCapture.opened] == [True, True]
    with pytest.raises(MissingError, match=r"camera 7: expected a camera of that number, found none"):
        next(stream.run(7))
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingError, match=r"camera 0: expected OpenCV .* `pip install opencv-python-headless`"):
        next(stream.run(0))


# -- frames of another kind --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (np.zeros((8, 6, 3), np.uint8), r"frame 1: expected 8 x 6 pixels in 3 channels, got 6 x 8 pixels in 3; resize"),
        (np.zeros((6, 8, 4), np.uint8), r"frame 1: expected 8 x 6 pixels in 3 channels, got 8 x 6 pixels in 4"),
        (np.zeros((6, 9), np.uint8), r"frame 1: expected 8 x 6 pixels in 3 channels, got an array of shape \(6, 9\)"),
        (np.zeros((6, 8), np.float32), r"frame 1: expected uint8 to convert or resize, got float32"),
        (CLIP[:1], r"frame 1: expected 8 x 6 pixels .*, got an array of shape \(1, 6, 8, 3\)"),
        (np.zeros(SHAPE, np.int64), r"frame 1: expected uint8 or float32 pixel values from 0 to 255, got int64"),
        (np.zeros(SHAPE), r"frame 1: expected uint8 or float32 .* got float64"),
        (np.zeros(SHAPE, bool), r"frame 1: expected uint8 or float32 .* got bool"),
        ("a frame", r"frame 1: expected uint8 or float32"),
        (np.full(SHAPE, np.nan, np.float32), r"frame 1: expected finite pixel values, got NaN or infinity"),
    ],
)
def test_other_frames_are_refused_and_leave_the_stream_as_it_was(frame: Any, message: str, mean_file: bytes) -> None:
    stream = StreamingClassifier(mean_file)
    with pytest.raises(InputError, match=message):
        stream.update(frame)
    assert stream.frames_seen == 0
    assert stream.update(CLIP[0]) == pytest.approx(softmax(expected_logits(CLIP[:1]))[0], abs=1e-5)


def test_frames_of_another_size_are_resized_on_request(mean_file: bytes, tmp_path: Path, write_frames: Write) -> None:
    large = np.repeat(np.repeat(CLIP, 2, axis=1), 2, axis=2)
    folder = write_frames(tmp_path / "large", large)
    with pytest.raises(InputError, match=r"source|large', frame 1: expected 8 x 6 pixels .* got 16 x 12 pixels in 3"):
        list(StreamingClassifier(mean_file).run(folder))
    stream = StreamingClassifier(mean_file, resize=True)
    found = np.stack(list(stream.run(folder)))
    assert found == pytest.approx(softmax(expected_logits(CLIP)), abs=0.02)
    grey = stream.run(np.full((1, 5, 5), 128, np.uint8))
    assert next(grey) == pytest.approx(softmax(expected_logits(np.full((1, *SHAPE), 128, np.uint8)))[0], abs=1e-5)
    for frame in (large[0].astype(np.float32), np.zeros((0, 8, 3), np.uint8), np.zeros((5, 8, 4), np.uint8)):
        with pytest.raises(InputError, match=r"frame \d: expected"):
            stream.update(frame)


def test_grey_and_colour_are_converted_as_in_training(
    convert_stream: Convert, mean_file: bytes, tmp_path: Path, write_frames: Write
) -> None:
    colour = StreamingClassifier(mean_file)
    grey = CLIP[..., :1]
    expected = np.stack(list(colour.run(np.repeat(grey, 3, axis=3))))
    assert np.array_equal(np.stack(list(colour.run(grey))), expected)
    assert np.array_equal(np.stack(list(colour.run(grey[..., 0]))), expected)

    def step(image: Any, state_sum: Any) -> dict[str, Any]:
        import tensorflow as tf

        total = state_sum + tf.reduce_mean(image, axis=[1, 2, 3])
        return {"logits": tf.concat([total, -total], axis=1), "state_sum": total}

    stream = StreamingClassifier(convert_stream(step, {"state_sum": (1, 1)}, frame=(1, 1, 6, 8, 1)))
    frames = np.repeat(grey, 3, axis=3)
    assert np.array_equal(np.stack(list(stream.run(write_frames(tmp_path, frames)))), np.stack(list(stream.run(grey))))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([], r"source the frames: expected frames, got none"),
        (np.zeros((0, *SHAPE), np.uint8), r"source the frames: expected frames, got none"),
        (np.zeros((4, 4), np.uint8), r"source: expected frames as an array \[T, H, W, C\] .* got \(4, 4\)"),
        (CLIP[0], r"the frames, frame 1: expected 8 x 6 pixels in 3 channels, got an array of shape \(8, 3\)"),
        (3.5, r"source: expected frames .* got float"),
        (None, r"source: expected a path, a camera's number or frames, got None"),
        (True, r"source: expected a path, a camera's number or frames, got True"),
        ("nowhere.mp4", r"video 'nowhere.mp4': expected a video file or a folder of frames, got nothing there"),
    ],
)
def test_sources_that_are_none(source: Any, message: str, mean_file: bytes) -> None:
    with pytest.raises(InputError, match=message):
        list(StreamingClassifier(mean_file).run(source))


@pytest.mark.parametrize("stride", [0, -1, 1.5, True, "2"])
def test_stride_is_checked(stride: Any, mean_file: bytes) -> None:
    with pytest.raises(InputError, match=r"stride: expected a whole number from 1"):
        next(StreamingClassifier(mean_file).run(CLIP, stride=stride))


# -- other files -------------------------------------------------------------------------------------------------------


def test_files_that_are_no_streams(convert_stream: Convert, tmp_path: Path) -> None:
    space = TabNAS((5,), 3)
    plain = write_tflite(lower(space.network(space.parse("tabnas:0-1-2-x-x"))))

    def with_names(**outputs: str) -> bytes:
        def step(image: Any, state_sum: Any) -> dict[str, Any]:
            import tensorflow as tf

            total = state_sum + tf.reduce_mean(image, axis=[1, 2, 3])
            values = {"total": total, "answer": tf.matmul(total, WEIGHTS), "single": total[:, :1]}
            return {name: values[what] for name, what in outputs.items()}

        return convert_stream(step, {"state_sum": (1, 3)})

    cases = [
        (plain, r"expected a streaming network with a signature, found none; give the stream that `nas export` wrote"),
        (with_names(answer="answer", state_sum="total"), r"one output beside the states, logits or .* found answer;"),
        (
            with_names(logits="answer", probabilities="answer", state_sum="total"),
            r"one output beside the states, logits or probabilities, found logits, probabilities",
        ),
        (with_names(logits="answer"), r"expected one input beside the states, the frame, found image, state_sum;"),
        (
            with_names(logits="answer", state_sum="answer"),
            r"state 'state_sum' to come out as it goes in, found \[1, 3\] and \[1, 4\]",
        ),
        (with_names(logits="single", state_sum="total"), r"expected logits of 2 or more classes, found 1"),
        (
            convert_stream(running_mean, MEAN_STATES, frame=(1, 2, *SHAPE)),
            r"expected frames of shape \[1, 1, H, W, C\], found \[1, 2, 6, 8, 3\]",
        ),
    ]
    for data, message in cases:
        with pytest.raises(InputError, match=message):
            StreamingClassifier(data)
    with pytest.raises(InputError, match=r"nowhere.tflite: expected a readable .tflite file"):
        StreamingClassifier(tmp_path / "nowhere.tflite")


def test_a_damaged_stream_runs_or_is_refused(mean_file: bytes) -> None:
    rng, refused = np.random.default_rng(0), 0
    for _ in range(300):
        changed = bytearray(mean_file)
        for _ in range(rng.integers(1, 4)):
            changed[rng.integers(len(changed))] = rng.integers(256)
        try:
            stream = StreamingClassifier(bytes(changed))
            stream.update(np.zeros(stream.frame_shape, np.uint8))
        except InputError as error:
            assert "expected" in str(error)
            refused += 1
    assert refused


def test_a_signature_of_other_tensors_is_refused(mean_file: bytes) -> None:
    """What the runtime takes: numbers of tensors that are not there, or that lie inside the network."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    graph = schema.ModelT.InitFromPackedBuf(mean_file, 0).subgraphs[0]
    inside = min(set(range(len(graph.tensors))) - {*graph.inputs, *graph.outputs})
    for number, message in ((10_000, "Invalid tensor index 10000"), (inside, "the tensor .*, which neither goes in")):
        model = schema.ModelT.InitFromPackedBuf(mean_file, 0)
        model.signatureDefs[0].outputs[0].tensorIndex = number
        builder = flatbuffers.Builder(4096)
        builder.Finish(model.Pack(builder), b"TFL3")
        with pytest.raises(InputError, match=rf"expected a signature of the network's .*, found {message}"):
            StreamingClassifier(bytes(builder.Output()))


@pytest.mark.parametrize("names", [["a"], "abcd", [1, 2, 3, 4]])
def test_class_names_that_do_not_fit_are_refused(names: Any, bare_file: bytes) -> None:
    data = embed_metadata(bare_file, {"class_names": names})
    with pytest.raises(InputError, match=r"expected 4 class names in its metadata, one for each answer"):
        StreamingClassifier(data)


# -- temporal ensembles ------------------------------------------------------------------------------------------------


def test_members_take_turns_and_their_logits_are_averaged(mean_file: bytes) -> None:
    ensemble = TemporalEnsemble(StreamingClassifier(mean_file), StreamingClassifier(mean_file))
    found = np.stack(list(ensemble.run(CLIP)))
    even, odd = expected_logits(CLIP[0::2]), expected_logits(CLIP[1::2])
    assert found[0] == pytest.approx(softmax(even[0]), abs=1e-5)
    for number in range(1, 10):
        mean = (even[number // 2] + odd[(number - 1) // 2]) / 2
        assert found[number] == pytest.approx(softmax(mean), abs=1e-5)
    assert np.array_equal(np.stack(list(ensemble.run(CLIP))), found), "a run begins anew"


def test_streams_of_probabilities_are_averaged_as_logits(register_file: bytes) -> None:
    ensemble = TemporalEnsemble(*(StreamingClassifier(register_file) for _ in range(3)))
    means = (CLIP / 255.0).mean(axis=(1, 2))
    *_, last = ensemble.run(CLIP[:9])
    # Each member answers with the frame before its last: 0, 1 and 2 of 0, 3, 6; 1, 4, 7; 2, 5, 8.
    assert last == pytest.approx(softmax((means[:3] @ WEIGHTS).mean(axis=0)), abs=1e-5)


def test_members_that_do_not_fit(mean_file: bytes, register_file: bytes) -> None:
    one = StreamingClassifier(mean_file)
    with pytest.raises(InputError, match=r"members: expected two or more networks that take turns, got 1"):
        TemporalEnsemble(one)
    with pytest.raises(InputError, match=r"members: expected different streams, got one twice"):
        TemporalEnsemble(one, one)
    with pytest.raises(InputError, match=r"members: expected one labels, got \('left'.* and \('0'"):
        TemporalEnsemble(one, StreamingClassifier(register_file))
    ensemble = TemporalEnsemble(one, StreamingClassifier(mean_file))
    ensemble.update(CLIP[0])
    with pytest.raises(InputError, match=r"frame 2: expected uint8 or float32"):
        ensemble.update(CLIP[0].astype(np.int32))


def keras_model(shape: tuple[int, ...], weights: np.ndarray, *, logits: bool) -> Any:
    """Logits or probabilities of the mean colour."""
    keras = load_keras()
    x = keras.Input(shape)
    mean = keras.layers.Rescaling(1 / 255)(keras.layers.GlobalAveragePooling3D()(x))
    dense = keras.layers.Dense(4, use_bias=False, activation=None if logits else "softmax")
    model = keras.Model(x, dense(mean))
    model.set_weights([weights])
    return model


@pytest.mark.parametrize("logits", [True, False])
def test_keras_models_of_half_the_rate_are_averaged(logits: bool) -> None:
    clips = np.random.default_rng(1).integers(0, 256, (5, 8, *SHAPE), np.uint8)
    models = [keras_model((4, *SHAPE), weights, logits=logits) for weights in (WEIGHTS, -0.5 * WEIGHTS)]
    means = [(clips[:, turn::2] / 255.0).mean(axis=(1, 2, 3)) for turn in range(2)]
    expected = softmax((means[0] @ WEIGHTS - 0.5 * means[1] @ WEIGHTS) / 2)
    found = temporal_ensemble(models, clips, from_logits=logits)
    assert found.shape == (5, 4) and found == pytest.approx(expected, abs=1e-5)
    with pytest.raises(
        InputError, match=r"x: expected clips \[N, T, H, W, C\] with T a multiple of 2, got shape \(5, 7"
    ):
        temporal_ensemble(models, clips[:, :7], from_logits=logits)
    with pytest.raises(InputError, match=r"model 1: expected an input of \(3, 6, 8, 3\), one frame in 2"):
        temporal_ensemble(models, clips[:, :6], from_logits=logits)
    with pytest.raises(InputError, match=r"members: expected two or more networks that take turns, got 1"):
        temporal_ensemble(models[:1], clips, from_logits=logits)


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.fixture
def stream_path(mean_file: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "stream.tflite"
    path.write_bytes(mean_file)
    return path


def test_the_command_answers_as_the_stream_goes(
    nas: Callable[..., tuple[int, str, str]], stream_path: Path, tmp_path: Path, write_frames: Write
) -> None:
    folder = write_frames(tmp_path / "frames", CLIP)
    status, out, err = nas(["stream", stream_path, folder, "--every", 4, "--top", 2])
    assert status == 0, err
    expected = softmax(expected_logits(CLIP))
    lines = out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["frame 4", "frame 8", "frame 10"]
    for line, number in zip(lines, (4, 8, 10), strict=True):
        order = np.argsort(-expected[number - 1])[:2]
        told = ", ".join(f"{LABELS[place]} {expected[number - 1][place]:.3f}" for place in order)
        assert line == f"frame {number}: {told}"


def test_the_command_gives_one_document(
    answer: Callable[..., Any], stream_path: Path, tmp_path: Path, write_video: Write
) -> None:
    video = write_video(tmp_path / "a.mkv", CLIP)
    found = answer("stream", stream_path, video, "--every", 3, "--stride", 2)
    assert {name: found[name] for name in ("frame_shape", "labels", "states", "state_bytes", "frames")} == {
        "frame_shape": [6, 8, 3],
        "labels": LABELS,
        "states": 2,
        "state_bytes": 16,
        "frames": 5,
    }
    assert [each["frame"] for each in found["answers"]] == [3, 5]
    expected = softmax(expected_logits(CLIP[::2]))[-1]
    best = found["answers"][-1]["top"]
    assert len(best) == 3 and best[0]["class"] == LABELS[int(expected.argmax())]
    assert best[0]["probability"] == pytest.approx(expected.max(), abs=1e-5)
    assert answer("stream", stream_path, video, "--frames", 4)["frames"] == 4


def test_the_command_reads_a_camera(
    answer: Callable[..., Any], stream_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("cv2")
    module.VideoCapture = FakeCapture  # type: ignore[attr-defined]
    FakeCapture.opened = []
    monkeypatch.setitem(sys.modules, "cv2", module)
    monkeypatch.chdir(tmp_path)
    found = answer("stream", stream_path, "0", "--frames", 2)
    assert found["frames"] == 2 and FakeCapture.opened[0].released


def test_the_command_refuses_in_words(
    refused: Callable[..., str], stream_path: Path, tmp_path: Path, write_frames: Write
) -> None:
    large = write_frames(tmp_path / "large", np.repeat(CLIP, 2, axis=1))
    refused(["stream", stream_path, large], "frame 1: expected 8 x 6 pixels", "got 8 x 12", "ask for it with resize")
    refused(["stream", stream_path, tmp_path / "nowhere"], "expected a video file or a folder of frames, got nothing")
    refused(["stream", tmp_path / "no.tflite", large], "no.tflite: expected a readable .tflite file")
    (tmp_path / "text.mp4").write_text("no video")
    refused(["stream", stream_path, tmp_path / "text.mp4"], "text.mp4': expected an mp4, mov, avi")
    assert refused(["stream", stream_path, large, "--every", 0])
