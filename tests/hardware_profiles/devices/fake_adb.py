"""An adb server without a phone: the smart-socket protocol of a real one, and a shell that knows a few commands.

It is spoken to by the real client. What a phone may do wrong is switched on by its attributes.
"""

from __future__ import annotations

import re
import shlex
import socket
import struct
import threading
from dataclasses import dataclass, field

STAT_MODE = 0o100755


@dataclass
class FakePhone:
    """One device and its storage; `benchmark` is what the tool prints, `answers` what other commands do."""

    state: str = "device"
    features: str = "shell_v2,cmd"
    benchmark: list[str] = field(default_factory=list)
    status: int = 0
    answers: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    room_bytes: int = 1 << 30
    commands: list[str] = field(default_factory=list)
    pushes: list[str] = field(default_factory=list)
    hangs: bool = False
    pulled_after: int | None = None

    def shell(self, command: str) -> tuple[str, int]:
        """Output and exit status of a command."""
        self.commands.append(command)
        for pattern, answer in self.answers.items():
            if re.search(pattern, command):
                return answer, 0
        if "--graph=" in command:
            words = {word.partition("=")[0]: word.partition("=")[2] for word in shlex.split(command)}
            if words["--graph"] not in self.files:
                return f"ERROR: Failed to mmap model {words['--graph']}\nERROR: Benchmarking failed.\n", 1
            if table := words.get("--op_profiling_output_file"):
                self.files[table] = self.answers["op csv"].encode()
            text = self.benchmark.pop(0) if len(self.benchmark) > 1 else self.benchmark[0]
            return text, self.status
        if command.startswith("stat -c"):
            path = shlex.split(command)[3]
            return (f"{len(self.files[path])}\n", 0) if path in self.files else ("", 1)
        if command.startswith("cat "):
            return self.files.get(shlex.split(command)[1], b"").decode(), 0
        if command.startswith("rm -f"):
            for path in shlex.split(command)[2:]:
                self.files.pop(path, None)
            return "", 0
        if command.startswith("df "):
            return "Filesystem 1K-blocks Used Available Use% Mounted on\n/dev/block 100 100 0 100% /data\n", 0
        return "", 0


class FakeAdbServer:
    """Serves phones by serial on a port of its own; a context manager."""

    def __init__(self, phones: dict[str, FakePhone]) -> None:
        self.phones = phones
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> FakeAdbServer:
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        # A blocked accept does not notice a close: one last connection wakes it.
        self._closing = True
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._accepting.join()
        self._socket.close()
        for thread in self._threads:
            thread.join(timeout=5)

    _closing = False

    def _accept(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            if self._closing:
                connection.close()
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._talk(_Wire(connection))
            except (EOFError, ConnectionError):
                return

    def _talk(self, wire: _Wire) -> None:
        phone: FakePhone | None = None
        while True:
            command = wire.command()
            match command.split(":"):
                case ["host", "version"]:
                    wire.okay_text("0029")
                    return
                case ["host", "devices" | "devices-l"]:
                    lines = (f"{serial}\t{each.state}\n" for serial, each in self.phones.items())
                    wire.okay_text("".join(lines))
                    return
                case ["host-serial", serial, "features"]:
                    wire.okay_text(self.phones[serial].features)
                    return
                case ["host", "tport", "serial", serial]:
                    if serial not in self.phones:
                        wire.fail(f"device '{serial}' not found")
                        return
                    phone = self.phones[serial]
                    wire.okay()
                    wire.send(struct.pack("<Q", 1))
                case ["sync", ""] if phone is not None:
                    wire.okay()
                    self._sync(wire, phone)
                    return
                case ["shell,v2", *rest] if phone is not None:
                    self._shell(wire, phone, ":".join(rest))
                    return
                case ["shell", *rest] if phone is not None:
                    self._old_shell(wire, phone, ":".join(rest))
                    return
                case _:
                    wire.fail(f"unknown host service {command}")
                    return

    def _shell(self, wire: _Wire, phone: FakePhone, command: str) -> None:
        if self._pulled(phone):
            return
        wire.okay()
        if phone.hangs and "--graph=" in command:
            wire.wait()
            return
        text, status = phone.shell(command)
        for stream, payload in ((1, text.encode()), (3, bytes([status]))):
            if payload:
                wire.send(bytes([stream]) + struct.pack("<I", len(payload)) + payload)

    def _old_shell(self, wire: _Wire, phone: FakePhone, command: str) -> None:
        """Before Android 7 the exit status was not passed on; the client appends an echo of it."""
        wire.okay()
        line, _, _ = command.partition("; echo X4EXIT:")
        text, status = phone.shell(line)
        wire.send(f"{text}X4EXIT:{status}\n".encode())

    def _pulled(self, phone: FakePhone) -> bool:
        """Whether the cable was pulled by now: the connection ends without a word, and the phone is listed no more."""
        if phone.pulled_after is None:
            return False
        phone.pulled_after -= 1
        if phone.pulled_after >= 0:
            return False
        self.phones = {serial: each for serial, each in self.phones.items() if each is not phone}
        return True

    def _sync(self, wire: _Wire, phone: FakePhone) -> None:
        while True:
            kind, size = wire.read(4), struct.unpack("<I", wire.read(4))[0]
            if kind == b"QUIT":
                return
            name = wire.read(size).decode()
            if kind == b"STAT":
                found = phone.files.get(name)
                mode = STAT_MODE if found is not None else 0
                wire.send(b"STAT" + struct.pack("<III", mode, len(found or b""), 0))
            elif kind == b"SEND":
                content = self._received(wire)
                path = name.rpartition(",")[0]
                if len(content) > phone.room_bytes:
                    words = b"couldn't write: No space left on device"
                    wire.send(b"FAIL" + struct.pack("<I", len(words)) + words)
                    return
                phone.files[path] = content
                phone.pushes.append(path)
                wire.send(b"OKAY" + struct.pack("<I", 0))
            else:
                return

    @staticmethod
    def _received(wire: _Wire) -> bytes:
        content = b""
        while True:
            kind, size = wire.read(4), struct.unpack("<I", wire.read(4))[0]
            if kind == b"DONE":
                return content
            content += wire.read(size)


class _Wire:
    """Reads and writes the protocol's units: four hexadecimal digits of length before every command."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def read(self, count: int) -> bytes:
        content = b""
        while len(content) < count:
            chunk = self._connection.recv(count - len(content))
            if not chunk:
                raise EOFError
            content += chunk
        return content

    def command(self) -> str:
        return self.read(int(self.read(4), 16)).decode()

    def send(self, content: bytes) -> None:
        self._connection.sendall(content)

    def okay(self) -> None:
        self.send(b"OKAY")

    def okay_text(self, text: str) -> None:
        self.send(b"OKAY" + f"{len(text):04x}{text}".encode())

    def fail(self, text: str) -> None:
        self.send(b"FAIL" + f"{len(text):04x}{text}".encode())

    def wait(self) -> None:
        """Until the client hangs up."""
        while self._connection.recv(1024):
            pass
