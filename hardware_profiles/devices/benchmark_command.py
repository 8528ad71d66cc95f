"""The command line of TFLite's `benchmark_model` for each way to run a network on a phone or board."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Final

from searchspaces.errors import InputError, unknown_name

DELEGATES: Final = ("cpu", "gpu", "nnapi", "hexagon", "edgetpu")


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkOptions:
    """How `benchmark_model` is to run; its own defaults differ from version to version, so all are written out.

    delegate: cpu (XNNPACK), gpu, nnapi (with `accelerator`), hexagon (the legacy one, up to the Snapdragon 855), or
        edgetpu, which on a Pixel is NNAPI's google-edgetpu.
    core_mask: of `taskset`, such as f0 for the big cores; empty leaves the choice to the scheduler.
    fp16: whether the GPU may compute in half precision.
    """

    delegate: str = "cpu"
    threads: int = 1
    core_mask: str = ""
    accelerator: str = ""
    gpu_backend: str = ""
    fp16: bool = True
    runs: int = 50
    warmup_runs: int = 10
    min_seconds: float = 1.0
    max_seconds: float = 60.0
    hexagon_library_folder: str = ""

    def __post_init__(self) -> None:
        if self.delegate not in DELEGATES:
            raise unknown_name("device.delegate", self.delegate, DELEGATES)
        if self.delegate == "nnapi" and not self.accelerator:
            raise InputError(
                "device.accelerator: expected the name of an NNAPI device, got none; write for example "
                "google-edgetpu or qti-dsp. Without one NNAPI may run everything on the CPU."
            )
        if self.gpu_backend not in ("", "cl", "gl"):
            raise unknown_name("device.gpu_backend", self.gpu_backend, ("cl", "gl"))
        if self.core_mask and not all(digit in "0123456789abcdefABCDEF" for digit in self.core_mask):
            raise InputError(
                f"device.core_mask: expected hexadecimal digits as taskset takes them, got {self.core_mask!r}; write "
                "for example f0 for cores 4 to 7."
            )


def benchmark_command(binary: str, model: str, options: BenchmarkOptions, *, op_csv: str = "") -> str:
    """One line for the device's shell; with `op_csv` operators are profiled into that file, which slows the run."""
    flags = {
        "graph": model,
        "num_threads": options.threads,
        "num_runs": options.runs,
        "warmup_runs": options.warmup_runs,
        "min_secs": f"{options.min_seconds:g}",
        "max_secs": f"{options.max_seconds:g}",
        "report_peak_memory_footprint": "true",
        **_delegate_flags(options),
    }
    if op_csv:
        flags |= {
            "enable_op_profiling": "true",
            "op_profiling_output_mode": "csv",
            "op_profiling_output_file": op_csv,
        }
    words = [binary, *(f"--{name}={value}" for name, value in flags.items())]
    if options.core_mask:
        words = ["taskset", options.core_mask, *words]
    line = shlex.join(words)
    if options.delegate == "hexagon" and options.hexagon_library_folder:
        line = f"LD_LIBRARY_PATH={shlex.quote(options.hexagon_library_folder)} {line}"
    return line


def _delegate_flags(options: BenchmarkOptions) -> dict[str, str]:
    match options.delegate:
        case "gpu":
            allowed = {"use_gpu": "true", "gpu_precision_loss_allowed": str(options.fp16).lower()}
            return allowed | ({"gpu_backend": options.gpu_backend} if options.gpu_backend else {})
        case "nnapi" | "edgetpu":
            accelerator = options.accelerator or "google-edgetpu"
            return {"use_nnapi": "true", "nnapi_accelerator_name": accelerator, "disable_nnapi_cpu": "true"}
        case "hexagon":
            folder = options.hexagon_library_folder
            return {"use_hexagon": "true"} | ({"hexagon_lib_path": folder} if folder else {})
    return {"use_xnnpack": "true"}
