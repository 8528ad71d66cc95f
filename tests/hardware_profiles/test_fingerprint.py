from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hardware_profiles.fingerprint import Fingerprint, host_fingerprint

X86 = """processor\t: 0
model\t\t: 49
model name\t: AMD EPYC 7B12
flags\t\t: fpu vme avx2 avx512f fma hypervisor

processor\t: 1
model\t\t: 49
model name\t: AMD EPYC 7B12
flags\t\t: fpu vme avx2 avx512f fma hypervisor
"""
# Two kinds of core, as in a phone; the kernel gives no model name.
ARM = """processor\t: 0
Features\t: fp asimd aes asimddp
CPU part\t: 0xd05

processor\t: 4
Features\t: fp asimd aes asimddp
CPU part\t: 0xd0a
"""


@pytest.fixture
def host(tmp_path: Path) -> Path:
    (tmp_path / "cpuinfo").write_text(X86)
    for core, governor in enumerate(("performance", "schedutil", "performance")):
        folder = tmp_path / f"cpu{core}" / "cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_governor").write_text(governor + "\n")
    return tmp_path


def read(host: Path, runtime: str = "litert 1") -> Fingerprint:
    return host_fingerprint(runtime, cpuinfo=host / "cpuinfo", cpufreq=host)


def test_details_are_read_from_the_kernel(host: Path) -> None:
    found = read(host)
    assert (found.cpu, found.flags) == ("AMD EPYC 7B12, model 49", ("avx2", "avx512f", "fma", "hypervisor"))
    assert found.governor == "performance, schedutil"


def test_an_arm_processor_is_known_by_its_parts(host: Path) -> None:
    (host / "cpuinfo").write_text(ARM)
    assert (read(host).cpu, read(host).flags) == ("part 0xd05, part 0xd0a", ("asimd", "asimddp"))


def test_a_system_without_these_files_still_has_a_fingerprint(tmp_path: Path) -> None:
    found = host_fingerprint("litert 1", cpuinfo=tmp_path / "none", cpufreq=tmp_path / "none")
    assert (found.cpu, found.flags, found.governor) == ("unknown", (), "unknown")
    assert len(found.id) == 12


def test_the_id_is_stable(host: Path) -> None:
    fixed = Fingerprint(
        cpu="a", flags=("avx2",), cores=2, system="Linux", machine="x86_64", governor="unknown", runtime="litert 1"
    )
    # Computed once; a change of it would cut every stored cost off from new ones.
    assert fixed.id == "024f896eb6ac"
    assert read(host).id == read(host).id


@pytest.mark.parametrize(
    ("field", "value"),
    [("cpu", "b"), ("flags", ()), ("cores", 64), ("governor", "powersave"), ("runtime", "litert 2"), ("machine", "z")],
)
def test_the_id_follows_whatever_moves_a_latency(host: Path, field: str, value: object) -> None:
    found = read(host)
    assert replace(found, **{field: value}).id != found.id


def test_details_are_json(host: Path) -> None:
    found = read(host)
    assert json.loads(json.dumps(found.details())) == found.details()


def test_this_machine_has_the_same_id_twice() -> None:
    assert host_fingerprint("litert 1") == host_fingerprint("litert 1")
