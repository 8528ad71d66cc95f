"""What a streaming .tflite takes and gives: a frame, states that go round, and an answer, all by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from searchspaces.errors import InputError

FRAME: Final = "image"
ANSWERS: Final = ("logits", "probabilities")
Details = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTensors:
    """A state: the tensor it is fed at, and the one its new value comes out of (interpreter details)."""

    name: str
    source: Details
    result: Details

    @property
    def size_bytes(self) -> int:
        """Of the state as it is fed."""
        return int(np.prod(self.source["shape"])) * np.dtype(self.source["dtype"]).itemsize

    @property
    def is_same_type(self) -> bool:
        """Whether the result's raw numbers mean the same when they are fed."""
        kinds = [(np.dtype(each["dtype"]), each["quantization"]) for each in (self.source, self.result)]
        return kinds[0] == kinds[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSignature:
    """The tensors of one step; `kind` says what `answer` holds."""

    frame: Details
    answer: Details
    kind: Literal["logits", "probabilities"]
    states: tuple[StateTensors, ...]

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        height, width, channels = (int(side) for side in self.frame["shape"][2:])
        return height, width, channels

    @property
    def classes(self) -> int:
        """Values in the answer."""
        return int(np.prod(self.answer["shape"]))


def read_signature(interpreter: Any, name: str) -> StreamSignature:
    """The streaming signature of an opened file; `name` begins errors.

    Inputs are `image` [1, 1, H, W, C] and the states; outputs are `logits` or `probabilities` and every state again,
    of the same name and shape.

    Raises:
        InputError: the file has no such signature; says what is amiss.
    """
    keys = list(interpreter.get_signature_list())
    if not keys:
        raise InputError(f"{name}: expected a streaming network with a signature, found none; {_ADVICE}")
    if len(keys) > 1:
        raise InputError(f"{name}: expected one signature, found {', '.join(keys)}; export the stream alone.")
    # Not kept: while a runner lives, the interpreter takes no other call.
    runner = interpreter.get_signature_runner(keys[0])
    sources, results = dict(runner.get_input_details()), dict(runner.get_output_details())
    del runner
    frame = sources.pop(FRAME, None)
    if frame is None or len(frame["shape"]) != 5 or list(frame["shape"][:2]) != [1, 1]:
        found = f"{[int(side) for side in frame['shape']]}" if frame else f"the inputs {', '.join(sources) or 'none'}"
        raise InputError(f"{name}: expected an input 'image' of shape [1, 1, H, W, C], found {found}; {_ADVICE}")
    answers: list[Literal["logits", "probabilities"]] = [kind for kind in ANSWERS if kind in results]
    if len(answers) != 1:
        found = ", ".join(results) or "none"
        raise InputError(f"{name}: expected one output named logits or probabilities, found {found}; {_ADVICE}")
    answer = results.pop(answers[0])
    odd = sorted(set(sources) ^ set(results))
    if odd:
        raise InputError(f"{name}: expected every state as input and as output, found {odd[0]!r} once; {_ADVICE}")
    states = tuple(StateTensors(name=each, source=sources[each], result=results[each]) for each in sorted(sources))
    signature = StreamSignature(frame=frame, answer=answer, kind=answers[0], states=states)
    _check(signature, name)
    return signature


_ADVICE: Final = "give the stream that `nas export` wrote."


def _check(signature: StreamSignature, name: str) -> None:
    for state in signature.states:
        shapes = [[int(side) for side in each["shape"]] for each in (state.source, state.result)]
        if shapes[0] != shapes[1]:
            raise InputError(
                f"{name}: expected state {state.name!r} to come out as it goes in, found {shapes[0]} and {shapes[1]}; "
                f"{_ADVICE}"
            )
    if signature.classes < 2:
        raise InputError(f"{name}: expected {signature.kind} of 2 or more classes, found 1; {_ADVICE}")
