"""The adb server as droidloop asks it: which devices there are, attach one, open a service."""

import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self, TypeVar, final

from droidloop.devices.android.errors import AbsentError, AndroidError, OfflineError, ServerError
from droidloop.devices.android.parsers.adb_text import Listed, failure_of, parse_host_devices

from .adb_process import AdbProcess
from .failures import check_state, error_of
from .wire import LOCAL, SERVER, Channel, Deadline, notify, open_channel, request

T = TypeVar("T")

TIMEOUT_S = 10.0
ATTACH_S = 3.0
_EMULATOR = re.compile(r"emulator-([0-9]{1,5})")
_ADDRESS = re.compile(r"[A-Za-z0-9.-]+:[0-9]{1,5}|\[[0-9A-Fa-f:.%a-z]+\]:[0-9]{1,5}")


@final
class Adb:
    """A client of one adb server. Methods may be called from several threads.

    A server of its own (``Adb.start``) that has died is started again, and what was attached
    through this object is attached again. Somebody else's is never ended nor started, and what was
    attached to it is left so.
    """

    def __init__(
        self,
        port: int,
        process: AdbProcess | None = None,
        *,
        host: str = LOCAL,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.host = host
        self.port = port
        self.timeout_s = timeout_s
        self._process = process
        self._usb = True
        self._lock = threading.Lock()
        self._attached: set[str] = set()

    @classmethod
    def start(cls, *, usb: bool = True) -> Self:
        """Start a private server; see ``AdbProcess.start``."""
        process = AdbProcess.start(usb=usb)
        adb = cls(process.port, process)
        adb._usb = usb
        return adb

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the server, if it is this object's own; else detach what was attached here."""
        if self._process is not None:
            self._process.close()
            return
        for serial in sorted(self._attached):
            with suppress(AndroidError):  # it, or the server, is gone already
                self.disconnect(serial)

    @property
    def socket(self) -> str:
        """What the adb client calls the server (``-L``)."""
        return f"tcp:{'localhost' if self.host == LOCAL else self.host}:{self.port}"

    @property
    def server_pid(self) -> int | None:
        """The process of the server, None if it is not this object's own."""
        return None if self._process is None else self._process.pid

    def devices(self) -> tuple[Listed, ...]:
        """Return all devices that the server knows, in whatever state."""
        return parse_host_devices(self._ask("host:devices"))

    def listed(self, serial: str) -> Listed | None:
        """Return the device whose serial is exactly *serial*, None if there is none."""
        return next((one for one in self.devices() if one.serial == serial), None)

    def connect(self, address: str, timeout_s: float | None = None) -> str:
        """Attach the device that listens on *address* (``HOST:PORT``); return its serial.

        Raises:
            AndroidError: it does not answer, or does not trust this computer.
        """
        # The server reports failures as a successful answer.
        answer = self._ask(f"host:connect:{address}", timeout_s)
        if answer.strip() not in (f"connected to {address}", f"already connected to {address}"):
            failure = failure_of(answer)
            if failure is None:
                raise AbsentError(address, answer)
            raise error_of(address, *failure)
        if self._process is not None or not answer.startswith("already"):
            self._attached.add(address)
        return address

    def disconnect(self, address: str) -> None:
        """Detach a device that was attached by its address or as an emulator, if it is there."""
        self._attached.discard(address)
        try:
            self._ask(f"host:disconnect:{address}")
        except AbsentError:
            return

    def attach_emulator(self, console_port: int, timeout_s: float = TIMEOUT_S) -> str:
        """Attach the emulator whose console listens on *console_port*; return its serial.

        Raises:
            AbsentError: nothing listens on its adb port, *console_port* + 1.
        """
        serial = f"emulator-{console_port}"
        deadline = Deadline(timeout_s)
        text = f"host:emulator:{console_port + 1}"
        known = self.listed(serial) is not None
        while self.listed(serial) is None:
            self._alive(lambda: notify(self.port, text, self.timeout_s, self.host))
            try:
                time.sleep(min(0.1, deadline.left_s()))
            except TimeoutError:
                raise AbsentError(serial, f"no emulator on port {console_port + 1}") from None
        if self._process is not None or not known:
            self._attached.add(serial)
        return serial

    def attach(self, serial: str) -> None:
        """Attach *serial* if it is an emulator or an address; a USB device attaches itself.

        Raises:
            AndroidError: it does not answer.
        """
        if self.listed(serial) is not None:
            return
        port = emulator_port(serial)
        if port is not None:
            self.attach_emulator(port, ATTACH_S)
        elif _ADDRESS.fullmatch(serial):
            self.connect(serial)

    def attach_again(self, serial: str) -> None:
        """Detach *serial* and attach it anew, if it is an emulator or an address.

        What others have attached to a server of theirs stays as it is.
        """
        if self._process is None and serial not in self._attached:
            return
        if emulator_port(serial) is not None or _ADDRESS.fullmatch(serial):
            self.disconnect(serial)
            self.attach(serial)

    def transport_id(self, serial: str) -> int:
        """Return the server's number for the connection to *serial*.

        The number names one connection: unlike a serial it can neither be taken for a pattern
        nor for a part of a request. While the server runs it never comes to mean another device.

        Raises:
            AndroidError: no device has exactly that serial, or it takes no commands.
        """
        check_state(serial, self.listed(serial))
        channel, number = self._transport(serial, Deadline(self.timeout_s))
        channel.close()
        return number

    def features(self, transport_id: int, serial: str) -> frozenset[str]:
        """Return what adb's protocol can do on a device, such as ``shell_v2``."""
        text = f"host-transport-id:{transport_id}:features"
        answer = self._ask(text, who=serial)
        return frozenset(answer.split(","))

    def service(self, transport_id: int, service: str, serial: str, deadline: Deadline) -> Channel:
        """Return a stream to *service* on a device; *deadline* holds for all of it.

        Raises:
            AbsentError: *serial* is another connection than *transport_id* by now.
            AndroidError: the service is refused, or the device is gone.
        """
        # A server that was started anew gives the numbers to other devices: the serial counts,
        # and the number guards against what else a serial may match.
        channel, number = self._transport(serial, deadline)
        try:
            if number != transport_id:
                raise AbsentError(serial, "it has come back as another connection")
            channel.command(service)
        except BaseException:
            channel.close()
            raise
        return channel

    def revive(self) -> None:
        """Start the server again if it is this object's own and has died."""
        with self._lock:
            if self._process is None or self._process.alive():
                return
            self._process.close()
            self._process = AdbProcess.start(port=self.port, usb=self._usb)
        for serial in sorted(self._attached):
            self._try_attach(serial)

    def _transport(self, serial: str, deadline: Deadline) -> tuple[Channel, int]:
        """Return a stream to the device *serial* and the number of the connection to it."""
        channel = open_channel(self.port, serial, deadline, self.host)
        try:
            channel.command(f"host:tport:serial:{serial}", lost=ServerError)
            return channel, int.from_bytes(channel.read_exact(8), "little")
        except BaseException:
            channel.close()
            raise

    def _try_attach(self, serial: str) -> None:
        try:
            self.attach_again(serial)
        except AndroidError:
            # It went away together with the server: whoever asks for it next is told.
            self._attached.add(serial)

    def _ask(self, text: str, timeout_s: float | None = None, who: str = SERVER) -> str:
        """Return the server's answer to the request *text*."""
        limit_s = self.timeout_s if timeout_s is None else timeout_s
        return self._alive(lambda: request(self.port, text, limit_s, who, self.host))

    def _alive(self, ask: Callable[[], T]) -> T:
        """Return what *ask* gives, once more if the server had to be started for it."""
        try:
            return ask()
        except ServerError:
            if self._process is None or self._process.alive(grace_s=0.5):
                raise
        self.revive()
        return ask()


def emulator_port(serial: str) -> int | None:
    """Return the console port of an emulator, None for another device."""
    match = _EMULATOR.fullmatch(serial)
    return int(match[1]) if match is not None else None


def wait_listed(adb: Adb, serial: str, timeout_s: float) -> None:
    """Wait until *serial* takes commands, attaching it again at most every two seconds.

    Raises:
        AndroidError: it does not within *timeout_s*; the last reason.
    """
    deadline = Deadline(timeout_s)
    last: AndroidError = OfflineError(serial, f"not ready within {timeout_s:g} s")
    attempt = 0
    while True:
        try:
            check_state(serial, adb.listed(serial))
            return
        except AndroidError as error:
            last = error
        try:
            if attempt % 4 == 3:
                adb.attach_again(serial)
        except AndroidError as error:
            last = error
        attempt += 1
        try:
            time.sleep(min(0.5, deadline.left_s()))
        except TimeoutError:
            raise last from None
