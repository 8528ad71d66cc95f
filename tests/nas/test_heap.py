"""What the C library's heap is told; that it helps is measured by `make bench`."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from nas.engines import heap

_MANY_THREADS = """
import ctypes, re, sys, tempfile, threading
from nas.engines.heap import share_arenas
if sys.argv[1] == "shared":
    share_arenas()
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
library.malloc.argtypes = [ctypes.c_size_t]
meet = threading.Barrier(6)
def take():
    library.malloc(4096)
    meet.wait()
threads = [threading.Thread(target=take) for _ in range(6)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
library.fopen.restype = ctypes.c_void_p
library.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
library.fclose.argtypes = [ctypes.c_void_p]
with tempfile.NamedTemporaryFile() as file:
    stream = library.fopen(file.name.encode(), b"w")
    library.malloc_info(0, stream)
    library.fclose(stream)
    print(len(re.findall("<heap nr=", open(file.name).read())))
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library is not glibc")
def test_threads_share_two_arenas() -> None:
    counts = {
        way: int(subprocess.run([sys.executable, "-c", _MANY_THREADS, way], check=True, capture_output=True).stdout)
        for way in ("shared", "own")
    }
    assert counts["shared"] == 2
    assert counts["own"] > 2


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Library:
        def __getattr__(self, name: str) -> object:
            asked.append(name)
            raise AttributeError(name)

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library())
    heap.share_arenas()
    heap.trim_heap()
    assert asked == ["malloc_trim", "malloc_trim"]
