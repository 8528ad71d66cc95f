"""A Linux board over ssh: the file goes there on standard input, and `nas profile` on the board measures it."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final, get_type_hints

from hardware_profiles.cost import Cost
from hardware_profiles.devices.device_target import DeviceTarget
from hardware_profiles.target_file import TargetFile
from searchspaces.errors import InputError, MissingError, NoResultError, unknown_name

_NO_CONNECTION: Final = 255
_NO_COMMAND: Final = 127
_MISSING: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardSettings:
    """Where the board is and what measures there.

    host: as ssh takes it: a name of its configuration, or user@address. Keys must let us in without a password.
    command: what runs Paretonas on the board, such as the path of `nas` in an environment there.
    target: of the board's own targets.
    time_limit_s: for one network.
    """

    host: str
    command: str = "nas"
    target: str = "host-cpu"
    time_limit_s: float = 300.0


class BoardTarget(DeviceTarget):
    """A board of the file's `[device]` table; its costs carry the board's own fingerprint and runtime."""

    def __init__(self, file: TargetFile) -> None:
        super().__init__(file)
        self._settings = _read(file.device, file.source)

    def measured(self, model: bytes, precision: str) -> tuple[Cost, ...]:
        settings = self._settings
        if settings.host.startswith("-"):
            raise InputError(f"device.host: expected a host, got {settings.host!r}; write user@address.")
        ssh = shutil.which("ssh")
        if ssh is None:
            raise MissingError("ssh: not on the PATH; install OpenSSH's client.")
        profile = [
            *shlex.split(settings.command),
            *("profile", "$model", "--json", "--target", settings.target, "--threads", str(self._file.threads)),
        ]
        words = " ".join('"$model"' if word == "$model" else shlex.quote(word) for word in profile)
        line = f'model=$(mktemp --suffix=.tflite) && cat > "$model" && {words}; status=$?; rm -f "$model"; exit $status'
        try:
            done = subprocess.run(
                [ssh, "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", settings.host, line],
                input=model,
                capture_output=True,
                timeout=settings.time_limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise NoResultError(
                f"{self.name}: not done after {settings.time_limit_s:g} s; raise device.time_limit_s or try a smaller "
                "network."
            ) from error
        words_of_board = done.stderr.decode(errors="replace").strip().splitlines()[-3:]
        self._check_status(done.returncode, " ".join(words_of_board) or "nothing")
        return (self._cost(done.stdout),)

    def _check_status(self, status: int, words: str) -> None:
        host = self._settings.host
        if status == _NO_CONNECTION:
            raise MissingError(f"{self.name}: no connection to {host}: {words[:300]}; try ssh {host} by hand.")
        if status == _NO_COMMAND:
            raise MissingError(
                f"{self.name}: no {self._settings.command} on {host}: {words[:300]}; install paretonas there, or set "
                "device.command to its path."
            )
        if status == _MISSING:
            raise MissingError(f"{self.name}: {host} says: {words[:300]}")
        if status:
            raise NoResultError(f"{self.name}: {host} ended with status {status}: {words[:300]}")

    def _cost(self, output: bytes) -> Cost:
        """The board's own record, under this target's name."""
        try:
            record = json.loads(output)
        except ValueError as error:
            raise NoResultError(
                f"{self.name}: expected a cost record from {self._settings.host}, got {output[:120]!r}; its login may "
                "print something: keep that to interactive shells."
            ) from error
        known = {each.name for each in fields(Cost)}
        if not isinstance(record, dict):
            raise NoResultError(f"{self.name}: expected one cost record, got {record!r}; update paretonas there.")
        return replace(Cost.from_dict({key: record[key] for key in known & set(record)}), target=self.name)


def _read(table: Mapping[str, Any], source: str) -> BoardSettings:
    hints = get_type_hints(BoardSettings)
    for key, value in table.items():
        if key not in hints:
            raise unknown_name(f"key in [device] of target {source}", key, hints)
        if isinstance(value, bool) or not isinstance(value, int | float if hints[key] is float else hints[key]):
            raise InputError(
                f"target {source}: key device.{key}: expected {hints[key].__name__}, got {value!r}; see "
                "docs/devices.md."
            )
    if not table.get("host"):
        raise InputError(f"target {source}: key device.host: expected user@address, got nothing; see docs/devices.md.")
    return BoardSettings(**table)
