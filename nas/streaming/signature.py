"""What a streaming .tflite takes and gives: a frame, states that go round, and an answer, all by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from searchspaces.errors import InputError

Kind: TypeAlias = Literal["logits", "probabilities"]
ANSWERS: Final[tuple[Kind, ...]] = ("logits", "probabilities")
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
    """The tensors of one step; `frame_name` is the name of its frame, `kind` that of its answer and what it holds."""

    frame_name: str
    frame: Details
    answer: Details
    kind: Kind
    states: tuple[StateTensors, ...]

    @property
    def state_bytes(self) -> int:
        """What is carried from frame to frame, whatever the length of the clip."""
        return sum(state.size_bytes for state in self.states)

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        height, width, channels = (int(side) for side in self.frame["shape"][2:])
        return height, width, channels

    @property
    def classes(self) -> int:
        """Values in the answer."""
        return int(np.prod(self.answer["shape"]))


def is_stream(interpreter: Any) -> bool:
    """Whether an opened file carries states: a signature with a name among both inputs and outputs."""
    signatures = interpreter.get_signature_list().values()
    return any(set(each["inputs"]) & set(each["outputs"]) for each in signatures)


def read_signature(interpreter: Any, name: str) -> StreamSignature:
    """The streaming signature of an opened file; `name` begins errors.

    A name among both inputs and outputs is a state, of one shape. The input beside the states is the frame,
    [1, 1, H, W, C]; the output beside them is called `logits` or `probabilities`.

    Raises:
        InputError: the file has no such signature; says what is amiss.
    """
    keys = list(interpreter.get_signature_list())
    if not keys:
        raise InputError(f"{name}: expected a streaming network with a signature, found none; {_ADVICE}")
    if len(keys) > 1:
        raise InputError(f"{name}: expected one signature, found {', '.join(keys)}; export the stream alone.")
    sources, results = _tensors(interpreter, keys[0], name)
    states = tuple(
        StateTensors(name=each, source=sources.pop(each), result=results.pop(each))
        for each in sorted(set(sources) & set(results))
    )
    if len(sources) != 1:
        raise InputError(
            f"{name}: expected one input beside the states, the frame, found {_listed(sources)}; every state has to "
            f"come out under the name it goes in by: {_ADVICE}"
        )
    kind = next((kind for kind in ANSWERS if [kind] == list(results)), None)
    if kind is None:
        raise InputError(
            f"{name}: expected one output beside the states, logits or probabilities, found {_listed(results)}; "
            f"{_ADVICE}"
        )
    ((frame_name, frame),) = sources.items()
    signature = StreamSignature(frame_name=frame_name, frame=frame, answer=results[kind], kind=kind, states=states)
    _check(signature, name)
    return signature


def _tensors(interpreter: Any, key: str, name: str) -> tuple[dict[str, Details], dict[str, Details]]:
    """Inputs and outputs of a signature by name; the file is untrusted, and the runtime checks no tensor's number."""
    # Not kept: while a runner lives, the interpreter takes no other call.
    runner = interpreter.get_signature_runner(key)
    known = {int(each["index"]) for each in (*interpreter.get_input_details(), *interpreter.get_output_details())}
    try:
        sources, results = dict(runner.get_input_details()), dict(runner.get_output_details())
    except (ValueError, TypeError) as error:
        raise _damaged(name, str(error)) from error
    strange = [each["name"] for each in (*sources.values(), *results.values()) if int(each["index"]) not in known]
    if strange:
        raise _damaged(name, f"the tensor {strange[0]!r}, which neither goes in nor comes out")
    return sources, results


def _damaged(name: str, found: str) -> InputError:
    return InputError(
        f"{name}: expected a signature of the network's inputs and outputs, found {found}; it is damaged: export or "
        "copy it again."
    )


_ADVICE: Final = "give the stream that `nas export` wrote."


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _check(signature: StreamSignature, name: str) -> None:
    shape = [int(side) for side in signature.frame["shape"]]
    if len(shape) != 5 or shape[:2] != [1, 1]:
        raise InputError(f"{name}: expected frames of shape [1, 1, H, W, C], found {shape}; {_ADVICE}")
    for state in signature.states:
        shapes = [[int(side) for side in each["shape"]] for each in (state.source, state.result)]
        if shapes[0] != shapes[1]:
            raise InputError(
                f"{name}: expected state {state.name!r} to come out as it goes in, found {shapes[0]} and {shapes[1]}; "
                f"{_ADVICE}"
            )
    if signature.classes < 2:
        raise InputError(f"{name}: expected {signature.kind} of 2 or more classes, found 1; {_ADVICE}")
