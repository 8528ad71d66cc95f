"""Labels, id and preprocessing inside the .tflite itself, as a metadata entry named PARETONAS that holds JSON.

Runtimes skip entries they do not know, so that the file loads everywhere; whoever finds it alone still learns what it
says and how it is fed.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from hardware_profiles.litert import Model, model_name, read_model
from nas.export.edit import edited
from searchspaces.errors import InputError

ENTRY: Final = b"PARETONAS"
MAX_METADATA_BYTES: Final = 1 << 20
_MAX_ENTRIES = 1000


def embed_metadata(tflite: bytes, payload: Mapping[str, Any]) -> bytes:
    """The same network with `payload` as its PARETONAS entry; tensors and operators stay as they are.

    Raises:
        InputError: the payload is more than 1 MiB or no JSON; the file is no TFLite file or has such an entry.
    """
    text = _to_json(payload)

    def add(model: Any) -> None:
        from ai_edge_litert import schema_py_generated as schema

        if any(entry.name == ENTRY for entry in model.metadata or []):
            raise InputError(
                "model: expected a freshly converted file, got one with Paretonas metadata; convert it again."
            )
        buffer, entry = schema.BufferT(), schema.MetadataT()
        buffer.data = np.frombuffer(text, np.uint8)
        entry.name, entry.buffer = ENTRY, len(model.buffers)
        model.buffers.append(buffer)
        model.metadata = [*(model.metadata or []), entry]

    return edited(tflite, add)


def read_metadata(path: Path) -> dict[str, Any]:
    """The PARETONAS entry of a .tflite file. The file is untrusted: JSON of at most 1 MiB, anything else is refused.

    Raises:
        InputError: no .tflite file, no such entry, or a damaged one.
    """
    found = find_metadata(path)
    if found is None:
        raise InputError(f"{path}: expected a PARETONAS metadata entry, found none; give a file of `nas export`.")
    return found


def find_metadata(model: Model) -> dict[str, Any] | None:
    """The same of a path or bytes, None where there is no such entry."""
    data, name = read_model(model), model_name(model)
    try:
        text = _entry(data, name)
    except (struct.error, IndexError, ValueError, TypeError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        # The flatbuffer accessors follow offsets unchecked, so a damaged file fails in any of these ways.
        raise _damaged(name, str(error)) from error
    return None if text is None else _from_json(text, name)


def _entry(data: bytes, name: str) -> bytes | None:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(data, 0)
    count = model.MetadataLength()
    if count > _MAX_ENTRIES:
        raise _damaged(name, f"{count} metadata entries")
    for position in range(count):
        entry = model.Metadata(position)
        if entry.Name() != ENTRY:
            continue
        if entry.Buffer() >= model.BuffersLength():
            raise _damaged(name, f"metadata in buffer {entry.Buffer()} of {model.BuffersLength()}")
        buffer = model.Buffers(entry.Buffer())
        size = buffer.DataLength()
        if size > MAX_METADATA_BYTES:
            raise InputError(
                f"{name}: expected metadata of at most {MAX_METADATA_BYTES:,} bytes, got {size:,}; export it again."
            )
        return bytes(buffer.DataAsNumpy()) if size else b""
    return None


def _to_json(payload: Mapping[str, Any]) -> bytes:
    try:
        text = json.dumps(dict(payload), allow_nan=False, separators=(",", ":")).encode("ascii")
    except (TypeError, ValueError) as error:
        raise InputError(f"metadata: expected values that JSON can hold, got {error}; use plain data.") from error
    if len(text) > MAX_METADATA_BYTES:
        raise InputError(
            f"metadata: expected at most {MAX_METADATA_BYTES:,} bytes of JSON, got {len(text):,}; shorten the class "
            "names or the description of the preprocessing."
        )
    return text


def _from_json(text: bytes, name: str) -> dict[str, Any]:
    try:
        payload = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _damaged(name, f"metadata that is no JSON: {error}") from error
    if not isinstance(payload, dict):
        raise _damaged(name, f"metadata that is a {type(payload).__name__} and no object")
    return payload


def _refuse_constant(text: str) -> Any:
    """Python reads NaN and Infinity, which JSON does not have."""
    raise ValueError(f"the constant {text}")


def _damaged(name: str, found: str) -> InputError:
    return InputError(f"{name}: expected a sound .tflite file, got {found}; it is damaged: export or copy it again.")
