"""The part of LiteRT's C interface (`libLiteRt.so` in ai-edge-litert 2.3.0) that profiles a model, through ctypes.

Names and layouts are those of LiteRT's headers `litert/c/litert_*.h`. Every call's status is checked; what is created
is destroyed in the opposite order. The profiler and the buffer requirements belong to the compiled model, and options
own the opaque options added to them, so those are not destroyed here.
"""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from collections.abc import Callable
from contextlib import ExitStack
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_int32, c_size_t, c_uint32, c_uint64, c_void_p
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from searchspaces.errors import MissingError, NoResultError

_HARDWARE_CPU = 1
_LOCK_WRITE = 1
_MAX_RANK = 8
_RANK_BITS = 0x7F
# Event types of TFLite's profiler: an op on a built-in kernel, an op inside a delegate, a named stretch of the runtime.
_STRETCH, _BUILTIN_OP, _DELEGATED_OP = 1, 2, 8

_LIBRARIES = {"darwin": "libLiteRt.dylib", "win32": "libLiteRt.dll"}
_STATUS = {
    1: "invalid argument",
    2: "out of memory",
    3: "runtime failure",
    4: "missing input tensor",
    5: "unsupported",
    6: "not found",
    7: "timeout",
    8: "wrong version",
    9: "unknown",
    10: "already exists",
    100: "cancelled",
    500: "file cannot be read",
    501: "invalid flatbuffer",
    502: "dynamic loading failed",
    503: "serialization failed",
    504: "compilation failed",
    1000: "index out of bounds",
    1001: "invalid IR type",
    1002: "invalid graph invariant",
    1003: "graph modification failed",
}
# LiteRT element type → the dtype random input is drawn as; others are filled with zeros.
_FLOAT32, _INT8, _UINT8 = 1, 9, 3

_Deleter = ctypes.CFUNCTYPE(None, c_void_p)


class _Layout(Structure):
    _fields_ = (("rank_and_flags", c_uint32), ("dimensions", c_int32 * _MAX_RANK), ("strides", c_uint32 * _MAX_RANK))


class _RankedTensorType(Structure):
    _fields_ = (("element_type", c_int), ("layout", _Layout))


class _MemoryUsage(Structure):
    _fields_ = (("total_bytes", c_size_t), ("in_use_bytes", c_size_t), ("private_bytes", c_size_t))


class _ProfilerEvent(Structure):
    _fields_ = (
        ("tag", c_char_p),
        ("event_type", c_int),
        ("start_us", c_uint64),
        ("elapsed_us", c_uint64),
        ("begin_memory", _MemoryUsage),
        ("end_memory", _MemoryUsage),
        ("metadata1", c_uint64),
        ("metadata2", c_uint64),
        ("source", c_int),
    )


def _fix_shape(layout: _Layout) -> None:
    """Open sides, which the file gives as -1, become 1, as they do in the interpreter."""
    for axis in range(_MAX_RANK):
        layout.dimensions[axis] = max(layout.dimensions[axis], 1) if axis < layout.rank_and_flags & _RANK_BITS else 0


_HANDLE = POINTER(c_void_p)
_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "LiteRtCreateEnvironment": (c_int, c_void_p, _HANDLE),
    "LiteRtDestroyEnvironment": (c_void_p,),
    "LiteRtCreateModelFromFile": (c_void_p, c_char_p, _HANDLE),
    "LiteRtDestroyModel": (c_void_p,),
    "LiteRtGetModelSignature": (c_void_p, c_size_t, _HANDLE),
    "LiteRtGetNumSignatureInputs": (c_void_p, POINTER(c_size_t)),
    "LiteRtGetNumSignatureOutputs": (c_void_p, POINTER(c_size_t)),
    "LiteRtGetSignatureInputTensorByIndex": (c_void_p, c_size_t, _HANDLE),
    "LiteRtGetSignatureOutputTensorByIndex": (c_void_p, c_size_t, _HANDLE),
    "LiteRtGetRankedTensorType": (c_void_p, POINTER(_RankedTensorType)),
    "LiteRtCreateOptions": (_HANDLE,),
    "LiteRtDestroyOptions": (c_void_p,),
    "LiteRtSetOptionsHardwareAccelerators": (c_void_p, c_int),
    "LiteRtCreateOpaqueOptions": (c_char_p, c_void_p, _Deleter, _HANDLE),
    "LiteRtDestroyOpaqueOptions": (c_void_p,),
    "LiteRtAddOpaqueOptions": (c_void_p, c_void_p),
    "LiteRtCreateCompiledModel": (c_void_p, c_void_p, c_void_p, _HANDLE),
    "LiteRtDestroyCompiledModel": (c_void_p,),
    "LiteRtGetCompiledModelInputBufferRequirements": (c_void_p, c_size_t, c_size_t, _HANDLE),
    "LiteRtGetCompiledModelOutputBufferRequirements": (c_void_p, c_size_t, c_size_t, _HANDLE),
    "LiteRtCreateManagedTensorBufferFromRequirements": (c_void_p, POINTER(_RankedTensorType), c_void_p, _HANDLE),
    "LiteRtDestroyTensorBuffer": (c_void_p,),
    "LiteRtGetTensorBufferSize": (c_void_p, POINTER(c_size_t)),
    "LiteRtLockTensorBuffer": (c_void_p, _HANDLE, c_int),
    "LiteRtUnlockTensorBuffer": (c_void_p,),
    "LiteRtRunCompiledModel": (c_void_p, c_size_t, c_size_t, _HANDLE, c_size_t, _HANDLE),
    "LiteRtCompiledModelGetProfiler": (c_void_p, _HANDLE),
    "LiteRtStartProfiler": (c_void_p,),
    "LiteRtStopProfiler": (c_void_p,),
    "LiteRtResetProfiler": (c_void_p,),
    "LiteRtGetNumProfilerEvents": (c_void_p, POINTER(c_int)),
    "LiteRtGetProfilerEvents": (c_void_p, c_int, POINTER(_ProfilerEvent)),
}
# These return nothing; all others return a status.
_VOID = frozenset(name for name in _SIGNATURES if name.startswith("LiteRtDestroy"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One op of one run, or (`delegated` None) a named stretch such as the whole `Invoke`."""

    tag: str
    delegated: bool | None
    elapsed_us: int
    node: int


def library_path() -> Path:
    """Where the installed ai-edge-litert keeps its library.

    Raises:
        MissingError: it is not installed, or has no such file.
    """
    spec = importlib.util.find_spec("ai_edge_litert")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / _LIBRARIES.get(sys.platform, "libLiteRt.so")
        if path.is_file():
            return path
    raise MissingError(
        "per-op profile: expected LiteRT's C library inside the package ai-edge-litert, found none; "
        "install it with `pip install 'ai-edge-litert>=2.3'`."
    )


class Api:
    """The library with its functions typed; `call` checks the status."""

    def __init__(self, path: Path) -> None:
        try:
            library = ctypes.CDLL(str(path))
        except OSError as error:
            raise MissingError(
                f"per-op profile: expected {path} to load, got: {error}; reinstall ai-edge-litert."
            ) from error
        self._functions: dict[str, Callable[..., int]] = {}
        for name, arguments in _SIGNATURES.items():
            try:
                function = getattr(library, name)
            except AttributeError as error:
                raise MissingError(
                    f"per-op profile: expected the function {name} in {path}, found none; "
                    "install a version of ai-edge-litert from 2.3 on."
                ) from error
            function.argtypes, function.restype = arguments, None if name in _VOID else c_int
            self._functions[name] = function

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function by name.

        Raises:
            NoResultError: its status is not OK.
        """
        status = self._functions[name](*arguments)
        if status:
            raise NoResultError(
                f"per-op profile: expected {name} to succeed, got status {status} "
                f"({_STATUS.get(status, 'not documented')}); time the whole model instead."
            )

    def create(self, name: str, *arguments: Any) -> c_void_p:
        """Call a function whose last parameter receives a handle; returns the handle."""
        handle = c_void_p()
        self.call(name, *arguments, byref(handle))
        return handle


class ProfiledModel:
    """A compiled model with its profiler on and its inputs filled; a context manager that frees everything."""

    def __init__(self, path: Path, *, threads: int, rng: np.random.Generator, library: Path | None = None) -> None:
        self._api = Api(library or library_path())
        self._keep: list[Any] = []
        with ExitStack() as stack:
            environment = self._create(stack, "Environment", 0, None)
            model = self._create(stack, "ModelFromFile", environment, str(path).encode(), destroy="Model")
            options = self._create(stack, "Options")
            self._set_options(options, threads)
            self._compiled = self._create(stack, "CompiledModel", environment, model, options)
            signature = self._api.create("LiteRtGetModelSignature", model, 0)
            self._inputs = self._buffers(stack, environment, signature, "Input", rng)
            self._outputs = self._buffers(stack, environment, signature, "Output", None)
            self._profiler = self._api.create("LiteRtCompiledModelGetProfiler", self._compiled)
            self._stack = stack.pop_all()

    def __enter__(self) -> ProfiledModel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def run(self) -> None:
        """One inference."""
        self._api.call(
            "LiteRtRunCompiledModel",
            self._compiled,
            0,
            len(self._inputs),
            self._inputs,
            len(self._outputs),
            self._outputs,
        )

    def profile_run(self) -> list[Event]:
        """One inference with the profiler on; its ops and stretches in the order the library reports them."""
        for name in ("LiteRtResetProfiler", "LiteRtStartProfiler"):
            self._api.call(name, self._profiler)
        self.run()
        self._api.call("LiteRtStopProfiler", self._profiler)
        count = c_int()
        self._api.call("LiteRtGetNumProfilerEvents", self._profiler, byref(count))
        events = (_ProfilerEvent * count.value)()
        self._api.call("LiteRtGetProfilerEvents", self._profiler, count, events)
        kinds = {_STRETCH: None, _BUILTIN_OP: False, _DELEGATED_OP: True}
        return [
            Event(
                tag=(event.tag or b"").decode(errors="replace"),
                delegated=kinds[event.event_type],
                elapsed_us=event.elapsed_us,
                node=event.metadata1,
            )
            for event in events
            if event.event_type in kinds
        ]

    def _create(self, stack: ExitStack, what: str, *arguments: Any, destroy: str = "") -> c_void_p:
        handle = self._api.create(f"LiteRtCreate{what}", *arguments)
        stack.callback(self._api.call, f"LiteRtDestroy{destroy or what}", handle)
        return handle

    def _set_options(self, options: c_void_p, threads: int) -> None:
        self._api.call("LiteRtSetOptionsHardwareAccelerators", options, _HARDWARE_CPU)
        for identifier, text in (
            (b"runtime_options_string", "enable_profiling = true\n"),
            (b"xnnpack", f"num_threads = {threads}\n"),
        ):
            # The library keeps the pointer; the text stays ours, so that there is nothing for the deleter to free.
            payload, deleter = ctypes.create_string_buffer(text.encode()), _Deleter(lambda _: None)
            self._keep += [payload, deleter]
            opaque = self._api.create("LiteRtCreateOpaqueOptions", identifier, ctypes.cast(payload, c_void_p), deleter)
            try:
                self._api.call("LiteRtAddOpaqueOptions", options, opaque)
            except NoResultError:
                self._api.call("LiteRtDestroyOpaqueOptions", opaque)
                raise

    def _buffers(
        self, stack: ExitStack, environment: c_void_p, signature: c_void_p, side: str, rng: np.random.Generator | None
    ) -> Any:
        """An array of managed buffers for all inputs or outputs, in the order of the signature."""
        count = c_size_t()
        self._api.call(f"LiteRtGetNumSignature{side}s", signature, byref(count))
        handles = (c_void_p * count.value)()
        for index in range(count.value):
            tensor = self._api.create(f"LiteRtGetSignature{side}TensorByIndex", signature, index)
            kind = _RankedTensorType()
            self._api.call("LiteRtGetRankedTensorType", tensor, byref(kind))
            _fix_shape(kind.layout)
            needs = self._api.create(f"LiteRtGetCompiledModel{side}BufferRequirements", self._compiled, 0, index)
            buffer = self._create(
                stack,
                "ManagedTensorBufferFromRequirements",
                environment,
                byref(kind),
                needs,
                destroy="TensorBuffer",
            )
            if rng is not None:
                self._fill(buffer, kind.element_type, rng)
            handles[index] = buffer
        return handles

    def _fill(self, buffer: c_void_p, element_type: int, rng: np.random.Generator) -> None:
        """Random values for floats and bytes, zeros for the rest: raw memory may hold denormals, which are slow."""
        size = c_size_t()
        self._api.call("LiteRtGetTensorBufferSize", buffer, byref(size))
        if element_type == _FLOAT32:
            content = (rng.random(size.value // 4, dtype=np.float32) * 2 - 1).tobytes()
        elif element_type in (_INT8, _UINT8):
            content = rng.bytes(size.value)
        else:
            content = bytes(size.value)
        address = c_void_p()
        self._api.call("LiteRtLockTensorBuffer", buffer, byref(address), _LOCK_WRITE)
        ctypes.memmove(address, content, len(content))
        self._api.call("LiteRtUnlockTensorBuffer", buffer)
