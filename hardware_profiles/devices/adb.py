"""An Android device over adb: files go there, commands run there, and every way that fails has words of its own."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from searchspaces.errors import InputError, MissingError, NoResultError

if TYPE_CHECKING:
    import adbutils

FOLDER: Final = "/data/local/tmp"
_MARK: Final = "----"
_STATE_COMMAND: Final = f"; echo {_MARK}; ".join(
    (
        "getprop ro.product.model",
        "getprop ro.build.fingerprint",
        "dumpsys thermalservice",
        "dumpsys battery",
        "cat /sys/devices/system/cpu/cpu*/cpufreq/scaling_cur_freq",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceState:
    """What a phone says of itself; None where its Android does not tell.

    thermal_status: Android's own scale, from 0 (none) over 3 (severe) to 6 (shutdown).
    """

    model: str
    build: str
    thermal_status: int | None
    battery_percent: int | None
    battery_celsius: float | None
    clocks_khz: tuple[int, ...]


class AdbDevice:
    """One phone of an adb server.

    Args:
        serial: as `adb devices` lists it; empty takes the only one there is.
        host: of the adb server, which is started where it is this machine's and does not run.
        port: of the adb server.

    Raises:
        MissingError: no adb, no server, no such phone, or one that does not let us in.
        InputError: several phones and no serial.
    """

    def __init__(self, serial: str = "", *, host: str = "127.0.0.1", port: int = 5037) -> None:
        try:
            import adbutils
        except ImportError as error:
            raise MissingError("adb: adbutils is not installed; run pip install 'paretonas[device]'.") from error
        self._client = adbutils.AdbClient(host=host, port=port)
        self._where = f"adb server {host}:{port}"
        self.serial = self._chosen(serial)
        self._device: adbutils.AdbDevice = self._client.device(serial=self.serial)

    def push(self, content: bytes, path: str) -> None:
        """Write a file of the device, executable.

        Raises:
            NoResultError: it did not arrive whole; how much room there is stands in the message.
            MissingError: the device went away.
        """
        import adbutils

        try:
            with self._present():
                self._device.sync.push(content, path, mode=0o755, check=True)
        except adbutils.AdbError as error:
            room = self.shell(f"df -k {shlex.quote(path.rpartition('/')[0])}", time_limit_s=10)[0].strip()
            raise NoResultError(
                f"{self.serial}: {len(content):,} bytes did not arrive at {path} ({error}); free some storage. The "
                f"device says: {' '.join(room.split())[-200:] or 'nothing'}"
            ) from error

    def read(self, path: str) -> str:
        """The text of a file of the device."""
        return self.shell(f"cat {shlex.quote(path)}", time_limit_s=30)[0]

    def remove(self, *paths: str) -> None:
        """Delete files; those that are not there do not matter."""
        self.shell(shlex.join(["rm", "-f", *paths]), time_limit_s=30)

    def shell(self, command: str, *, time_limit_s: float) -> tuple[str, int]:
        """What a command prints, both streams, and its exit status.

        Raises:
            NoResultError: it took longer than the limit.
            MissingError: the device went away.
        """
        import adbutils

        with self._present():
            try:
                done = self._device.shell2(command, timeout=time_limit_s, v2=True)
            except (adbutils.AdbTimeout, TimeoutError) as error:
                raise NoResultError(
                    f"{self.serial}: not done after {time_limit_s:g} s: {command[:200]}; raise "
                    "device.max_seconds or try a smaller network."
                ) from error
        return str(done.output), int(done.returncode)

    def state(self) -> DeviceState:
        """Name, build, heat, battery and clocks at this moment."""
        text, _ = self.shell(_STATE_COMMAND, time_limit_s=30)
        model, build, thermal, battery, clocks = ([part.strip() for part in text.split(_MARK)] + [""] * 5)[:5]
        degrees = _number(r"temperature: (-?\d+)", battery)
        return DeviceState(
            model=model or "unknown",
            build=build or "unknown",
            thermal_status=_number(r"Thermal Status: (\d+)", thermal),
            battery_percent=_number(r"level: (\d+)", battery),
            battery_celsius=None if degrees is None else degrees / 10,
            clocks_khz=tuple(int(word) for word in clocks.split() if word.isdigit()),
        )

    def _chosen(self, serial: str) -> str:
        """The serial of the phone to take, from what the server lists."""
        with self._present():
            listed = {entry.serial: entry.state for entry in self._client.list()}
        if not listed:
            raise MissingError(f"{self._where}: no device; plug one in and allow USB debugging on it.")
        if not serial and len(listed) > 1:
            names = ", ".join(listed)
            raise InputError(f"device.serial: expected one of {names}, got none; say which phone is meant.")
        chosen = serial or next(iter(listed))
        state = listed.get(chosen, "not there")
        if state != "device":
            raise MissingError(
                f"{self._where}: device {chosen} is {state}; it has {', '.join(listed)}. Unlock the phone, allow USB "
                "debugging, and plug it in again."
            )
        return chosen

    @contextmanager
    def _present(self) -> Iterator[None]:
        """Turns a connection that breaks into words: a cable pulled, a server gone."""
        import adbutils

        try:
            yield
        except adbutils.AdbTimeout:
            raise
        except (ConnectionError, EOFError) as error:
            raise self._gone(error) from error
        except adbutils.AdbError as error:
            if re.search(r"not found|offline|closed|connect|device .* gone|no devices", str(error)):
                raise self._gone(error) from error
            raise
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            raise self._gone(error) from error

    def _gone(self, error: Exception) -> MissingError:
        name = getattr(self, "serial", "")
        return MissingError(
            f"{self._where}: lost {name or 'the connection'} ({error}); plug it in again. A search continues with nas "
            "resume."
        )


def _number(pattern: str, text: str) -> int | None:
    found = re.search(pattern, text)
    return int(found[1]) if found else None
