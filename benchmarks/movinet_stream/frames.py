"""Time of a frame: of the network alone, and of a stream as `StreamingClassifier` runs it, states and answer included.

Networks take turns on one CPU, pass by pass. Each has first seen some frames, so that its states hold what a stream's
hold. What disturbs a pass only makes it longer, so a pass counts with its fastest frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hardware_profiles.litert import open_interpreter
from hardware_profiles.measure import pinned
from nas.quantization import dequantize, quantize
from nas.streaming.classifier import StreamingClassifier
from nas.streaming.signature import Details, read_signature


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameTimes:
    """Milliseconds of the fastest frame of each pass."""

    invoke_ms: list[float] = field(default_factory=list)
    update_ms: list[float] = field(default_factory=list)


def time_frames(
    files: Mapping[str, Path], frames: NDArray[np.float32], *, passes: int, runs: int
) -> dict[str, FrameTimes]:
    """Times of streaming .tflite files by name.

    Args:
        files: of one frame shape; all are held open at once.
        frames: ``[count, height, width, channels]`` as the networks are fed.
        passes: turns of every file.
        runs: frames in a turn.
    """
    times = {name: FrameTimes() for name in files}
    with pinned():
        streams = {name: StreamingClassifier(path) for name, path in files.items()}
        alone = {name: _with_states(path, frames) for name, path in files.items()}
        for _ in range(passes):
            for name, found in times.items():
                found.invoke_ms.append(_fastest_ms(lambda _, name=name: alone[name].invoke(), frames, runs))
                found.update_ms.append(_fastest_ms(streams[name].update, frames, runs))
    return times


def _with_states(path: Path, frames: NDArray[np.float32]) -> Any:
    """An interpreter that is fed a frame, and what its states are after all `frames`."""
    interpreter = open_interpreter(path)
    signature = read_signature(interpreter, path.name)
    for state in signature.states:
        _feed(interpreter, state.source, np.zeros(state.source["shape"], np.float32))
    for frame in frames:
        _feed(interpreter, signature.frame, frame[np.newaxis, np.newaxis])
        interpreter.invoke()
        for state in signature.states:
            value = interpreter.get_tensor(state.result["index"])
            _feed(interpreter, state.source, dequantize(value, dict(state.result)))
    return interpreter


def _feed(interpreter: Any, source: Details, value: NDArray[np.float32]) -> None:
    interpreter.set_tensor(source["index"], quantize(value, dict(source)))


def _fastest_ms(step: Callable[[NDArray[np.float32]], Any], frames: NDArray[np.float32], runs: int) -> float:
    fastest = float("inf")
    for number in range(runs):
        frame = frames[number % len(frames)]
        start = perf_counter()
        step(frame)
        fastest = min(fastest, perf_counter() - start)
    return 1e3 * fastest
