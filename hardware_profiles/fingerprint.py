"""Which machine and runtime a number comes from: a short stable id, and the details behind it.

The id covers what moves a latency by more than noise: processor, its vector extensions, core count, operating system,
architecture, frequency governor and runtime version. It leaves out what does not (host name, kernel release, Python),
so two equal machines share it. Only files are read: no subprocess, nothing that takes longer than a millisecond or so.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_CPUINFO = Path("/proc/cpuinfo")
_CPUFREQ = Path("/sys/devices/system/cpu")
_ID_LENGTH = 12
_UNKNOWN = "unknown"

# Extensions the CPU kernels pick their inner loops by, on x86 and on Arm, and whether the machine is virtual.
_FLAGS = frozenset(
    {"sse4_1", "avx", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16"}
    | {"avx512_fp16", "amx_tile", "amx_int8", "hypervisor"}
    | {"neon", "asimd", "fphp", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "sme"}
)
_CPUINFO_LINE = re.compile(r"^(?P<key>[^:\n]+?)[ \t]*:[ \t]*(?P<value>.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What the id is made of."""

    cpu: str
    flags: tuple[str, ...]
    cores: int
    system: str
    machine: str
    governor: str
    runtime: str

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits, the same for equal details on any day."""
        text = json.dumps(self.details(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:_ID_LENGTH]

    def details(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {**asdict(self), "flags": list(self.flags)}


def host_fingerprint(runtime: str, *, cpuinfo: Path = _CPUINFO, cpufreq: Path = _CPUFREQ) -> Fingerprint:
    """The fingerprint of this machine with a runtime such as `ai-edge-litert 2.3.0`.

    `cpuinfo` and `cpufreq` are the kernel's files; where they do not exist (macOS, Windows), less is known and said.
    """
    cpu, flags = _read_cpu(cpuinfo)
    return Fingerprint(
        cpu=cpu,
        flags=flags,
        cores=os.cpu_count() or 1,
        system=platform.system() or _UNKNOWN,
        machine=platform.machine() or _UNKNOWN,
        governor=_read_governors(cpufreq),
        runtime=runtime,
    )


def _read_cpu(path: Path) -> tuple[str, tuple[str, ...]]:
    """Model name (on Arm, which has none, the part numbers of its kinds of core) and the flags that matter."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return _UNKNOWN, ()
    found: dict[str, set[str]] = {}
    for match in _CPUINFO_LINE.finditer(text):
        found.setdefault(match["key"].strip().lower(), set()).add(match["value"].strip())
    model = found.get("model name") or found.get("hardware") or set()
    parts = {f"part {part}" for part in found.get("cpu part", ())}
    revision = {f"model {number}" for number in found.get("model", ()) if number.isdigit()}
    names = sorted(model) + sorted(parts) + sorted(revision)
    flags = {flag for line in found.get("flags", found.get("features", set())) for flag in line.split()}
    return ", ".join(names) or _UNKNOWN, tuple(sorted(flags & _FLAGS))


def _read_governors(folder: Path) -> str:
    """The frequency governors in use, or `unknown` where the kernel does not tell (as in most virtual machines)."""
    found: set[str] = set()
    for path in folder.glob("cpu[0-9]*/cpufreq/scaling_governor"):
        try:
            found.add(path.read_text().strip())
        except OSError:
            # A core taken offline between the listing and the reading has no say in it.
            continue
    return ", ".join(sorted(found)) or _UNKNOWN
