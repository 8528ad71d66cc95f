"""`StreamingClassifier`: a streaming .tflite that is fed frame by frame and says at each what it sees."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hardware_profiles.litert import Model, invoke_once, model_name, open_interpreter
from nas.export.metadata import find_metadata
from nas.pictures import fit_pixels
from nas.quantization import dequantize, quantize
from nas.streaming.signature import StateTensors, read_signature
from nas.streaming.sources import Source, frames_of, source_name
from nas.video.sampling import Sampling
from searchspaces.errors import InputError

_TINY = float(np.finfo(np.float32).tiny)


class StreamingClassifier:
    """A network that carries what it has seen in its states, so that memory does not grow with the clip.

    States stay inside the interpreter: after a step each new value is copied to where it is fed, as raw numbers, and
    nothing is allocated for it.

    Args:
        model: the file, as path or bytes.
        resize: stretch frames of another size to the network's, as training did, in place of refusing them.
        threads: of the interpreter.

    Raises:
        InputError: no .tflite file, or not one of a streaming network.
        MissingError: no runtime is installed.
    """

    def __init__(self, model: Model, *, resize: bool = False, threads: int = 1) -> None:
        self.name = model_name(model)
        self._model, self._resize = model, resize
        self._interpreter = open_interpreter(model, threads=threads)
        self.signature = read_signature(self._interpreter, self.name)
        metadata = find_metadata(model) or {}
        self.labels = _labels(metadata, self.signature.classes, self.name)
        self._sampling = _sampling(metadata)
        # A state that is handed on unchanged can be the very tensor that another state is fed at.
        fed = {int(state.source["index"]) for state in self.signature.states}
        given = {int(state.result["index"]) for state in self.signature.states}
        self._is_entangled = bool(fed & given)
        self.frames_seen = 0
        self.reset()

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of a frame."""
        return self.signature.frame_shape

    @property
    def state_bytes(self) -> int:
        """What is carried from frame to frame, whatever the length of the clip."""
        return self.signature.state_bytes

    def reset(self) -> None:
        """Forget every frame: all states are zero, as at the start of a clip."""
        for state in self.signature.states:
            scale, zero_point = state.source["quantization"]
            self._write(state, zero_point if scale else 0)
        self.frames_seen = 0

    def update(self, frame: NDArray[Any]) -> NDArray[np.float32]:
        """Feed the next frame; returns the probabilities [classes] of the clip so far.

        Args:
            frame: uint8 or float32 [H, W, C] with raw pixel values from 0 to 255; the network rescales them itself.
                Bytes in grey ([H, W] or one channel) and in colour (RGB) are converted to what the network takes.

        Raises:
            InputError: another type, another size (unless `resize`), or values that are not finite.
        """
        answer = self._step(frame, f"frame {self.frames_seen + 1}")
        return answer if self.signature.kind == "probabilities" else softmax(answer)

    def update_logits(self, frame: NDArray[Any], *, what: str | None = None) -> NDArray[np.float32]:
        """Feed the next frame, called `what` in errors; returns logits [classes], whose softmax `update` gives."""
        answer = self._step(frame, what or f"frame {self.frames_seen + 1}")
        if self.signature.kind == "logits":
            return answer
        # A quantised probability of 0 stands for anything up to half a step.
        scale, _ = self.signature.answer["quantization"]
        return np.log(np.maximum(answer, scale / 2 or _TINY))

    def run(self, source: Source, *, stride: int | None = None) -> Generator[NDArray[np.float32], None, None]:
        """Forget every frame, then feed a whole source; gives the probabilities [classes] after each frame fed.

        Args:
            source: an array [T, H, W, C], frames one by one, a video file, a folder of pictures, a camera's number.
            stride: feed every so manieth frame. By default as the network was trained, where the file says so; frames
                that come without their rate (arrays, folders, cameras) are then taken to have the trained one.
        """
        if stride is not None and (isinstance(stride, bool) or not isinstance(stride, int) or stride < 1):
            raise InputError(f"stride: expected a whole number from 1, got {stride!r}; 1 feeds every frame.")
        self.reset()
        name = source_name(source)
        frames = frames_of(source, lambda rate: self._frames_apart(rate, stride, name))
        for number, frame in enumerate(frames, start=1):
            answer = self._step(frame, f"{name}, frame {number}")
            yield answer if self.signature.kind == "probabilities" else softmax(answer)
        if not self.frames_seen:
            raise InputError(f"source {name}: expected frames, got none; check the source.")

    def top(self, probabilities: NDArray[np.float32], count: int = 1) -> list[tuple[str, float]]:
        """The `count` likeliest classes with their probabilities, the likeliest first."""
        order = np.argsort(-probabilities, kind="stable")[:count]
        return [(self.labels[index], float(probabilities[index])) for index in order]

    def _frames_apart(self, rate: float | None, stride: int | None, name: str) -> float:
        if stride is not None or self._sampling is None:
            return float(stride or 1)
        if self._sampling.fps is not None and rate is None:
            return 1.0
        return self._sampling.step(rate, what=f"source {name}")

    def _step(self, frame: NDArray[Any], what: str) -> NDArray[np.float32]:
        """Feed one frame, let the states go round; returns the answer [classes]."""
        signature = self.signature
        pixels = self._checked(frame, what)[np.newaxis, np.newaxis]
        self._interpreter.set_tensor(signature.frame["index"], quantize(pixels, dict(signature.frame)))
        invoke_once(self._interpreter, self._model)
        answer = self._interpreter.get_tensor(signature.answer["index"]).reshape(-1)
        if self._is_entangled:
            values = [self._tensor(state.result).copy() for state in signature.states]
            for state, value in zip(signature.states, values, strict=True):
                self._feed(state, value)
        else:
            for state in signature.states:
                self._feed(state, self._tensor(state.result))
        self.frames_seen += 1
        return dequantize(answer, dict(signature.answer))

    def _feed(self, state: StateTensors, value: NDArray[Any]) -> None:
        if not state.is_same_type:
            value = quantize(dequantize(value, dict(state.result)), dict(state.source))
        self._write(state, value)

    def _write(self, state: StateTensors, value: NDArray[Any] | int) -> None:
        view = self._tensor(state.source)
        if isinstance(view, np.ndarray):
            np.copyto(view, value)
        else:  # The runtime gives a copy of a number that has no axis.
            self._interpreter.set_tensor(state.source["index"], np.asarray(value, view.dtype))

    def _tensor(self, details: Any) -> Any:
        """A view into the interpreter; must not outlive the call it is used in."""
        try:
            return self._interpreter.tensor(details["index"])()
        except ValueError as error:
            raise InputError(
                f"{self.name}: expected every state to be computed, found no data in {details['name']!r}; the file is "
                "damaged: export or copy it again."
            ) from error

    def _checked(self, frame: NDArray[Any], what: str) -> NDArray[Any]:
        """The frame as the network takes it."""
        shape, pixels = self.frame_shape, np.asarray(frame)
        if pixels.dtype not in (np.uint8, np.float32):
            raise InputError(
                f"{what}: expected uint8 or float32 pixel values from 0 to 255, got {pixels.dtype}; convert it."
            )
        if pixels.ndim == 2:
            pixels = pixels[..., np.newaxis]
        if pixels.shape != shape:
            has_size = pixels.shape[:2] == shape[:2] or (self._resize and pixels.size)
            if not has_size or pixels.ndim != 3 or pixels.shape[2] not in (1, 3):
                raise _wrong_shape(what, shape, np.shape(frame))
            if pixels.dtype != np.uint8:
                raise InputError(f"{what}: expected uint8 to convert or resize, got {pixels.dtype}; do it beforehand.")
            host = {"height": shape[0], "width": shape[1], "colour": "L" if shape[2] == 1 else "RGB"}
            return fit_pixels(host, pixels)
        if pixels.dtype == np.float32 and not np.isfinite(pixels).all():
            raise InputError(f"{what}: expected finite pixel values, got NaN or infinity; mend the frame.")
        return pixels


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities over the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)


def _wrong_shape(what: str, expected: tuple[int, ...], got: tuple[int, ...]) -> InputError:
    sizes = f"{expected[1]} x {expected[0]} pixels in {expected[2]} channel{'s' if expected[2] > 1 else ''}"
    found = f"{got[1]} x {got[0]} pixels in {got[2]}" if len(got) == 3 else f"an array of shape {got}"
    return InputError(f"{what}: expected {sizes}, got {found}; resize it, or ask for it with resize.")


def _labels(metadata: dict[str, Any], classes: int, name: str) -> tuple[str, ...]:
    """Class names from the file's metadata, or the classes' numbers."""
    names = metadata.get("class_names")
    if names is None:
        return tuple(str(number) for number in range(classes))
    if not isinstance(names, list) or len(names) != classes or not all(isinstance(each, str) for each in names):
        raise InputError(
            f"{name}: expected {classes} class names in its metadata, one for each answer, got {names!r:.60}; "
            "export it again."
        )
    return tuple(names)


def _sampling(metadata: dict[str, Any]) -> Sampling | None:
    """How the clips that the network was trained on were sampled, where the file says it."""
    preprocessing = metadata.get("preprocessing")
    host = preprocessing.get("host") if isinstance(preprocessing, dict) else None
    if not isinstance(host, dict) or not {"frames", "stride", "fps", "short"} <= set(host):
        return None
    return Sampling.from_dict(host)
