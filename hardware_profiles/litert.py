"""Opening .tflite models in LiteRT (or, where only that is installed, in `tflite_runtime`).

Files are untrusted: whatever is wrong with one ends as an `InputError` that names the file and what was found in it.
The runtime verifies the flatbuffer itself; what it reports is passed on in words.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import re
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hardware_profiles.quiet import quiet_stderr
from searchspaces.errors import InputError, MissingError

Model: TypeAlias = bytes | str | Path

_IDENTIFIER = b"TFL3"
_MIN_BYTES = 8
# One changed byte in a shape can ask for terabytes, for which the system ends the whole process. Networks for phones
# stay far below: the largest tensor of a video network (MoViNet-A5, 120 frames) has about 80 million values.
_LARGEST_TENSOR = 1 << 27
_RUNTIMES = (
    ("ai_edge_litert.interpreter", "ai-edge-litert"),
    ("tflite_runtime.interpreter", "tflite-runtime"),
)
_CUSTOM_OP = re.compile(r"unresolved custom op: (?P<name>[^.\s]+)")
_FLEX_OP = re.compile(r"\((?P<name>Flex\w+)\)")
_BUILTIN_OP = re.compile(r"builtin opcode '?(?P<name>\w+)'? version '?(?P<version>\d+)'?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The interpreter's package: `str()` is what costs record, such as `ai-edge-litert 2.3.0`."""

    module: str
    package: str
    version: str

    def __str__(self) -> str:
        return f"{self.package} {self.version}"


def find_runtime() -> Runtime:
    """The runtime that is installed, LiteRT before `tflite_runtime`; imports neither.

    Raises:
        MissingError: neither is installed.
    """
    for module, package in _RUNTIMES:
        try:
            return Runtime(module=module, package=package, version=importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            continue
    raise MissingError(
        "runtime: expected LiteRT to run .tflite models, found neither ai-edge-litert nor tflite-runtime; "
        "install it with `pip install ai-edge-litert`."
    )


def check_threads(threads: int) -> None:
    """Raise InputError unless `threads` is a whole number, 1 or more."""
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise InputError(f"threads: expected a whole number, 1 or more, got {threads!r}; give 1.")


def model_name(model: Model) -> str:
    """How messages call the model: its path, or a phrase for bytes."""
    return "the model (bytes in memory)" if isinstance(model, bytes) else str(model)


def read_model(model: Model) -> bytes:
    """The bytes of a model, checked to be a TFLite file as far as its first eight bytes tell.

    Raises:
        InputError: no such file, a folder, unreadable, empty, or of another format.
    """
    data = model if isinstance(model, bytes) else _read_file(Path(model))
    name = model_name(model)
    if len(data) < _MIN_BYTES:
        raise InputError(f"{name}: expected a .tflite model, got {len(data)} bytes; export or copy it again.")
    if data[4:8] != _IDENTIFIER:
        raise InputError(
            f"{name}: expected a .tflite model (TFL3 at byte 4), got {len(data)} bytes that begin {data[:8]!r}; "
            "give a file written by a TFLite converter or by `nas export`."
        )
    return data


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{path}: expected a readable .tflite file, got: {reason}; check the path.") from error


def open_interpreter(model: Model, *, threads: int = 1, delegates: bool = True) -> Any:
    """An interpreter of the model with its tensors allocated.

    `delegates=False` opens it on the built-in kernels alone, without XNNPACK: slow, but every tensor then lies in the
    runtime's own arena.

    Raises:
        InputError: not a TFLite model, damaged, or holding an op the runtime has no kernel for (named).
        MissingError: no runtime is installed, or it does not load.
    """
    check_threads(threads)
    data = read_model(model)
    runtime = find_runtime()
    try:
        module = importlib.import_module(runtime.module)
    except ImportError as error:
        raise MissingError(
            f"runtime: {runtime} is installed but does not load ({error}); reinstall it with "
            f"`pip install --force-reinstall {runtime.package}`."
        ) from error
    options: dict[str, Any] = {"num_threads": threads}
    if not delegates:
        options["experimental_op_resolver_type"] = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        with quiet_stderr():
            interpreter = module.Interpreter(model_content=data, **options)
            largest = _largest_tensor(interpreter)
            if largest <= _LARGEST_TENSOR:
                interpreter.allocate_tensors()
                return interpreter
    except (ValueError, RuntimeError) as error:
        raise _refused(model_name(model), len(data), runtime, str(error)) from error
    except SystemError as error:
        # So a runtime ends that was built for another major version of NumPy's own interface.
        raise MissingError(
            f"runtime: {runtime} cannot be called with NumPy {np.__version__} ({_first_line(str(error))}); install "
            "ai-edge-litert, or, for tflite-runtime 2.14 and before, NumPy 1."
        ) from error
    raise InputError(
        f"{model_name(model)}: expected tensors of at most {_LARGEST_TENSOR:,} values, got one of {largest:,}; "
        "the file is damaged, or its input has to be made smaller."
    )


def _largest_tensor(interpreter: Any) -> int:
    """Values in the largest tensor.

    Asks for inputs and outputs by name too, so that a damaged name is found here and not later.
    """
    details = [
        *interpreter.get_tensor_details(),
        *interpreter.get_input_details(),
        *interpreter.get_output_details(),
    ]
    return max((prod(map(int, each["shape"])) for each in details), default=0)


def invoke_once(interpreter: Any, model: Model) -> None:
    """Run the model once; what the runtime refuses in it becomes an InputError that names the model."""
    try:
        interpreter.invoke()
    except (ValueError, RuntimeError) as error:
        raise InputError(
            f"{model_name(model)}: expected a model that runs on random input, got: {_first_line(str(error))}; "
            "check the model's control flow and input ranges."
        ) from error


def _refused(name: str, size: int, runtime: Runtime, message: str) -> InputError:
    if found := _CUSTOM_OP.search(message):
        return InputError(
            f"{name}: expected built-in ops only, got the custom op {found['name']}, for which {runtime} has no "
            "kernel; export without custom ops."
        )
    if found := _FLEX_OP.search(message):
        return InputError(
            f"{name}: expected built-in ops only, got the TensorFlow op {found['name']}, for which {runtime} has no "
            "kernel; export without SELECT_TF_OPS."
        )
    if found := _BUILTIN_OP.search(message):
        return InputError(
            f"{name}: expected ops that {runtime} knows, got {found['name']} version {found['version']}; "
            "upgrade the runtime or export for an older one."
        )
    return InputError(
        f"{name}: expected a .tflite model that {runtime} can open, got {size} bytes it refuses "
        f"({_first_line(message)}); the file is cut short or damaged: export or copy it again."
    )


def _first_line(message: str) -> str:
    return message.strip().splitlines()[0].rstrip(".") if message.strip() else "no reason given"


def random_inputs(interpreter: Any, rng: np.random.Generator) -> tuple[NDArray[Any], ...]:
    """One random array for each input, of its shape and dtype.

    Floats are uniform in [-1, 1); quantised integers are such floats through the tensor's own scale and zero point;
    other integers are 0 or 1, which is safe where they index a table.

    Raises:
        InputError: an input of a type that has no meaningful random value (strings, complex numbers).
    """
    return tuple(_random_input(details, rng) for details in interpreter.get_input_details())


def _random_input(details: dict[str, Any], rng: np.random.Generator) -> NDArray[Any]:
    shape, dtype = tuple(int(side) for side in details["shape"]), np.dtype(details["dtype"])
    if dtype.kind == "f":
        return (rng.random(shape, dtype=np.float32) * 2 - 1).astype(dtype)
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(dtype)
    if dtype.kind not in "iu":
        raise InputError(
            f"input {details['name']}: expected numbers, got the type {dtype}; models that take text or complex "
            "numbers cannot be timed on random input."
        )
    scale, zero_point = details["quantization"]
    if not scale:
        return rng.integers(0, 2, shape).astype(dtype)
    limits = np.iinfo(dtype)
    levels = np.rint((rng.random(shape, dtype=np.float32) * 2 - 1) / scale) + zero_point
    clipped: NDArray[Any] = np.clip(levels, limits.min, limits.max).astype(dtype)
    return clipped


def set_inputs(interpreter: Any, arrays: tuple[NDArray[Any], ...]) -> None:
    """Copy one array into each input."""
    for details, array in zip(interpreter.get_input_details(), arrays, strict=True):
        interpreter.set_tensor(details["index"], array)


def batch_of(interpreter: Any) -> int:
    """The first side of the first input, 1 where it has none."""
    inputs = interpreter.get_input_details()
    return int(inputs[0]["shape"][0]) if inputs and len(inputs[0]["shape"]) else 1


def precision_of(interpreter: Any) -> str:
    """float32, float16 (weights), int8, uint8, int16 (activations) or dynamic (int8 weights, float arithmetic).

    Quantised int32 or int64 tensors are biases, which only networks that compute in integers have.
    """
    found = [
        (np.dtype(details["dtype"]).name, len(details["quantization_parameters"]["scales"]) > 0)
        for details in interpreter.get_tensor_details()
        if np.dtype(details["dtype"]).kind in "fiu"
    ]
    names = {name for name, quantised in found if quantised or name.startswith("float")}
    if "int16" in names:
        return "int16"
    for name in ("uint8", "int8"):
        if name in names:
            integer = bool({"int32", "int64"} & names) or not {"float32", "float16"} & names
            return name if integer else "dynamic"
    return "float16" if "float16" in names else "float32"


def measured_arena_bytes(model: Model) -> int:
    """Bytes of the arenas the runtime lays its activations into, read from where the tensors really lie.

    The model is opened on the built-in kernels, where each activation has an address in the arena; state (variable
    tensors) lies in an arena of its own, which is added. What the runtime works out once, such as weights unpacked
    from float16, is no activation. Scratch space of single kernels has no name and counts as far as it lies between
    activations.

    Raises:
        InputError: as `open_interpreter`.
        MissingError: the runtime does not ship the schema that tells constants from activations.
    """
    data = read_model(model)
    interpreter = open_interpreter(model, delegates=False)
    ranges: dict[bool, list[tuple[int, int]]] = {False: [], True: []}
    for index, is_variable in _activation_tensors(data):
        span = _address_range(interpreter, index)
        if span is not None:
            ranges[is_variable].append(span)
    return sum(max(end for _, end in spans) - min(start for start, _ in spans) for spans in ranges.values() if spans)


def op_kinds(model: Model) -> tuple[str, ...]:
    """TFLite's names of the main graph's ops in file order; custom ops as `CUSTOM:name`.

    The model must be one that `open_interpreter` accepts: the accessors of flatbuffers follow offsets unchecked.

    Raises:
        InputError: as `read_model`.
        MissingError: the runtime does not ship the schema.
    """
    schema = tflite_schema()
    root = schema.Model.GetRootAs(bytearray(read_model(model)), 0)
    names = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    codes: list[str] = []
    for index in range(root.OperatorCodesLength()):
        code = root.OperatorCodes(index)
        kind = names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        custom = (code.CustomCode() or b"?").decode(errors="replace")
        codes.append(f"CUSTOM:{custom}" if kind == "CUSTOM" else kind)
    graph = root.Subgraphs(0)
    return tuple(codes[graph.Operators(index).OpcodeIndex()] for index in range(graph.OperatorsLength()))


def builtin_ops() -> frozenset[str]:
    """The names of all TFLite ops that are not custom.

    Raises:
        MissingError: the runtime does not ship the schema.
    """
    names = {name for name, number in vars(tflite_schema().BuiltinOperator).items() if isinstance(number, int)}
    return frozenset(names - {"CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES"})


def tflite_schema() -> Any:
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError as error:
        raise MissingError(
            "runtime: expected ai-edge-litert, which ships the schema of .tflite files, found none; "
            "install it with `pip install ai-edge-litert`."
        ) from error
    return schema_py_generated


def _activation_tensors(data: bytes) -> list[tuple[int, bool]]:
    """(index, is a variable) of the main graph's tensors that depend on its inputs or state."""
    model = tflite_schema().Model.GetRootAs(bytearray(data), 0)
    graph, kinds = model.Subgraphs(0), op_kinds(data)
    variable = [bool(graph.Tensors(index).IsVariable()) for index in range(graph.TensorsLength())]
    live = {index for index, holds_state in enumerate(variable) if holds_state}
    live.update(graph.Inputs(position) for position in range(graph.InputsLength()))
    for index, kind in enumerate(kinds):
        operator = graph.Operators(index)
        sources = {operator.Inputs(position) for position in range(operator.InputsLength())}
        if sources & live and kind not in ("SHAPE", "RANK"):
            live.update(operator.Outputs(position) for position in range(operator.OutputsLength()))
    return [(index, variable[index]) for index in sorted(live)]


def _address_range(interpreter: Any, index: int) -> tuple[int, int] | None:
    """First and last address of a tensor, None where it has no memory (sized while running, or of no values).

    The view does not outlive the call: a living one makes the interpreter refuse to run.
    """
    try:
        view = interpreter.tensor(index)()
    except ValueError:
        return None
    start = int(view.__array_interface__["data"][0])
    return (start, start + view.nbytes) if view.nbytes else None
