"""An adb server in this process, with scripted devices and every fault that real ones have.

It speaks the host protocol, both shell protocols and the file protocol well enough for adbutils
and for the real adb client.
"""

import hashlib
import re
import shlex
import socket
import socketserver
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

Answer = tuple[str, str, int]
_MARKED = re.compile(r"\((.*)\) </dev/null; end=\$\?; echo; echo (\S+):\$end", re.DOTALL)


@dataclass
class FakeDevice:
    """A device: its state, its files, what its commands answer, and what goes wrong.

    Attributes:
        answers: output, errors and exit code by the words of a command, joined by spaces.
        handler: asked for commands that are not in *answers*.
        shell_fault: ``close`` before the exit code, ``hang``, ``refuse``, ``garbage``, ``flood``.
        push_fault: ``close``, ``hang``, ``corrupt``, or the reason in words.
    """

    state: str = "device"
    features: str = "shell_v2,cmd"
    files: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    handler: Callable[[list[str]], Answer | None] | None = None
    shell_fault: str | None = None
    push_fault: str | None = None
    commands: list[list[str]] = field(default_factory=list)

    def run(self, argv: list[str]) -> Answer:
        """Return what the command *argv* gives."""
        self.commands.append(argv)
        given = self.answers.get(" ".join(argv))
        if given is None and self.handler is not None:
            given = self.handler(argv)
        return given if given is not None else self._toybox(argv)

    def _toybox(self, argv: list[str]) -> Answer:
        match argv:
            case [("sha256sum" | "md5sum") as name, path] if path in self.files:
                digest = hashlib.new(name.removesuffix("sum"), self.files[path]).hexdigest()
                return f"{digest}  {path}\n", "", 0
            case ["mv", "-f", source, target] if source in self.files:
                self.files[target] = self.files.pop(source)
                return "", "", 0
            case ["rm", "-f", path]:
                self.files.pop(path, None)
                return "", "", 0
            case ["chmod", _, path] if path in self.files:
                return "", "", 0
            case ["df", _]:
                return (
                    "Filesystem 1K-blocks Used Available Use% Mounted on\n"
                    "/dev/block/dm-1 9000000 1000000 8000000 12% /data\n",
                    "",
                    0,
                )
            case ["echo", *words]:
                return " ".join(words) + "\n", "", 0
        return "", f"sh: {argv[0]}: not found\n", 127


class FakeAdb:
    """The server; ``port`` is where it listens, ``requests`` what it was asked."""

    def __init__(self, **devices: FakeDevice) -> None:
        self.devices = dict(devices)
        self.requests: list[str] = []
        self.connect_answer: Callable[[str], str] | None = None
        self.emulators: dict[int, str] = {}
        self.new_emulator: Callable[[], FakeDevice] = FakeDevice
        self.numbers: dict[str, int] = {}
        self.host_fault: str | None = None
        self.version = "0029"
        self.hold = threading.Event()
        fake = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                _Session(fake, self.request).serve()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 64

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that goes away is no news."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def number_of(self, serial: str) -> int:
        """Return the transport number of *serial*; ``renumber`` gives it another."""
        return self.numbers.setdefault(serial, len(self.numbers) + 1)

    def renumber(self, serial: str) -> None:
        """Let *serial* come back as a new transport, as after a reconnect."""
        self.numbers[serial] = max(self.numbers.values(), default=0) + 1

    def listing(self) -> str:
        """Return the answer to ``host:devices``."""
        return "".join(f"{serial}\t{one.state}\n" for serial, one in self.devices.items())


class _Session:
    """One connection of a client."""

    def __init__(self, fake: FakeAdb, conn: socket.socket) -> None:
        self.fake = fake
        self.conn = conn
        self.device: FakeDevice | None = None

    def serve(self) -> None:
        while True:
            head = self.recv(4)
            if len(head) < 4:
                return
            request = self.recv(int(head, 16)).decode()
            self.fake.requests.append(request)
            if self.fake.host_fault == "garbage":
                self.conn.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                return
            if self.fake.host_fault == "close":
                return
            if self.fake.host_fault == "hang":
                self.fake.hold.wait(30)
                return
            keep = self.service(request) if self.device else self.host(request)
            if not keep:
                return

    def recv(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.conn.recv(size - len(data))
            if not part:
                return data
            data += part
        return data

    def okay(self, text: str | None = None) -> None:
        data = b"" if text is None else b"%04x%b" % (len(text.encode()), text.encode())
        self.conn.sendall(b"OKAY" + data)

    def fail(self, text: str) -> None:
        self.conn.sendall(b"FAIL%04x%b" % (len(text.encode()), text.encode()))

    def host(self, request: str) -> bool:
        """Answer one request to the server; return whether the connection goes on."""
        fake = self.fake
        if request == "host:version":
            self.okay(fake.version)
        elif request in ("host:features", "host:host-features"):
            self.okay("shell_v2,cmd")
        elif request == "host:devices":
            self.okay(fake.listing())
        elif request.startswith("host:connect:"):
            address = request.removeprefix("host:connect:")
            answer = fake.connect_answer or (lambda a: f"connected to {a}")
            self.okay(answer(address))
        elif request.startswith("host:disconnect:"):
            address = request.removeprefix("host:disconnect:")
            if address.startswith("emulator-"):
                fake.devices.pop(address, None)
            self.okay(f"disconnected {address}")
        elif request.startswith("host:emulator:"):
            port = int(request.removeprefix("host:emulator:"))
            if port in fake.emulators:
                fake.devices[fake.emulators[port]] = fake.new_emulator()
        else:
            return self.transport(request)
        return False

    def transport(self, request: str) -> bool:
        """Answer a request that names a device."""
        match = re.fullmatch(
            r"host:(tport:serial|transport|transport-id):(.*)|host-transport-id:([0-9]+):(.*)",
            request,
            re.DOTALL,
        )
        if match is None:
            self.fail(f"unknown host service: {request}")
            return False
        serial = self.serial_of(match[2] if match[1] in ("tport:serial", "transport") else "")
        if match[1] == "transport-id" or match[3]:
            number = int(match[3] or match[2])
            serial = next((s for s in self.fake.devices if self.fake.number_of(s) == number), None)
            missing = f"no device with transport id '{number}'"
        else:
            missing = f"device '{match[2]}' not found"
        device = self.fake.devices.get(serial) if serial is not None else None
        if serial is None or device is None:
            self.fail(missing)
            return False
        if device.state != "device":
            self.fail(f"device {device.state}")
            return False
        if match[4] is not None:
            known = {"features": device.features, "get-state": device.state}
            self.okay(known[match[4]])
            return False
        self.okay()
        if match[1] == "tport:serial":
            self.conn.sendall(struct.pack("<Q", self.fake.number_of(serial)))
        self.device = device
        return True

    def serial_of(self, name: str) -> str | None:
        return name if name in self.fake.devices else None

    def service(self, request: str) -> bool:
        assert self.device is not None
        if request.startswith("shell") and self.device.shell_fault == "refuse":
            self.fail("closed")
        elif request.startswith("shell,v2"):
            self.okay()
            self.shell_v2(request.split(":", 1)[1])
        elif request.startswith("shell:"):
            self.okay()
            self.shell_v1(request.removeprefix("shell:"))
        elif request == "sync:":
            self.okay()
            self.sync()
        else:
            self.fail("closed")
        return False

    def shell_v2(self, command: str) -> None:
        assert self.device is not None
        out, err, code = self.device.run(shlex.split(command))
        self.packet(1, out.encode())
        self.packet(2, err.encode())
        if self.device.shell_fault == "garbage":
            self.packet(77, b"what")
        if self.device.shell_fault == "flood":
            for _ in range(1000):
                self.packet(1, b"x" * 65536)
        if self.device.shell_fault == "hang":
            self.fake.hold.wait(30)
        if self.device.shell_fault is None:
            self.packet(3, bytes([code]))

    def packet(self, kind: int, data: bytes) -> None:
        self.conn.sendall(struct.pack("<BI", kind, len(data)) + data)

    def shell_v1(self, command: str) -> None:
        assert self.device is not None
        match = _MARKED.fullmatch(command)
        assert match is not None
        out, err, code = self.device.run(shlex.split(match[1]))
        text = f"{out}{err}"
        if self.device.shell_fault == "close":
            text = text[: len(text) // 2]
        elif self.device.shell_fault == "hang":
            self.fake.hold.wait(30)
        else:
            text += f"\n{match[2]}:{code}\n"
        self.conn.sendall(text.replace("\n", "\r\n").encode())

    def sync(self) -> None:
        """Serve the file protocol, version 1."""
        assert self.device is not None
        while True:
            head = self.recv(8)
            if len(head) < 8 or head[:4] == b"QUIT":
                return
            size = int.from_bytes(head[4:], "little")
            path = self.recv(size).decode()
            if head[:4] == b"STAT":
                data = self.device.files.get(path)
                mode = 0 if data is None else 0o100644
                self.conn.sendall(struct.pack("<4s3I", b"STAT", mode, len(data or b""), 1))
            elif head[:4] == b"RECV":
                self.send_file(path)
            elif head[:4] == b"SEND":
                if not self.receive_file(path.rsplit(",", 1)[0]):
                    return
            else:
                self.sync_fail(f"unknown command {head[:4]!r}")
                return

    def sync_fail(self, words: str) -> None:
        self.conn.sendall(struct.pack("<4sI", b"FAIL", len(words)) + words.encode())

    def send_file(self, path: str) -> None:
        assert self.device is not None
        data = self.device.files.get(path)
        if data is None:
            self.sync_fail("open failed: No such file or directory")
            return
        for start in range(0, len(data), 65536):
            part = data[start : start + 65536]
            self.conn.sendall(struct.pack("<4sI", b"DATA", len(part)) + part)
        self.conn.sendall(struct.pack("<4sI", b"DONE", 0))

    def receive_file(self, path: str) -> bool:
        """Take a file; return whether the session goes on."""
        assert self.device is not None
        parts: list[bytes] = []
        fault = self.device.push_fault
        while True:
            head = self.recv(8)
            if len(head) < 8:
                return False
            size = int.from_bytes(head[4:], "little")
            if head[:4] == b"DONE":
                break
            parts.append(self.recv(size))
            if fault == "close":
                return False
            if fault == "hang":
                self.fake.hold.wait(30)
                return False
        data = b"".join(parts)
        if fault is None or fault == "corrupt":
            self.device.files[path] = data[:-1] + b"?" if fault else data
            self.conn.sendall(struct.pack("<4sI", b"OKAY", 0))
        else:
            self.sync_fail(fault)
        return True
