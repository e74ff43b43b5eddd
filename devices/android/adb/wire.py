"""adb's host protocol with deadlines: the one module that imports adbutils, which is untyped.

adbutils opens the sockets and reads the statuses. What it does on its own account is avoided:
it starts a server on the default port where it finds none, waits without an end, and takes the
end of a stream for the end of an output.
"""

import socket
import time
from contextlib import closing, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, final

from droidloop.devices.android.errors import (
    AndroidError,
    DeviceTimeoutError,
    DisconnectedError,
    ServerError,
)
from droidloop.devices.android.parsers.adb_text import reason_of

from .failures import error_of

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVER = "adb server"
LOCAL = "127.0.0.1"
_REQUEST_MAX = 0xFFFF


@final
class Deadline:
    """A point in time by which something must have ended."""

    def __init__(self, timeout_s: float) -> None:
        if not timeout_s > 0:
            raise ValueError(f"timeout_s must be positive, not {timeout_s}")
        self.timeout_s = timeout_s
        self._end_s = time.monotonic() + timeout_s

    def left_s(self) -> float:
        """Return the seconds that are left.

        Raises:
            TimeoutError: there are none.
        """
        left = self._end_s - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


@final
class Channel:
    """A stream to *who* through the adb server; everything on it ends by one deadline."""

    def __init__(self, connection: Any, who: str, deadline: Deadline) -> None:
        self._connection = connection
        self._who = who
        self._deadline = deadline

    def send(self, data: bytes) -> None:
        """Send all of *data*."""
        with _translated(self._who, self._deadline, lost=DisconnectedError):
            self._socket().sendall(data)

    def read_some(self, limit: int) -> bytes:
        """Return 1 to *limit* bytes, or none at the end of the stream."""
        with _translated(self._who, self._deadline, lost=DisconnectedError):
            return bytes(self._socket().recv(limit))

    def read_exact(self, size: int) -> bytes:
        """Return *size* bytes.

        Raises:
            DisconnectedError: the stream ends before.
        """
        data = bytearray()
        while len(data) < size:
            part = self.read_some(size - len(data))
            if not part:
                raise DisconnectedError(self._who, "it went away in the middle of an answer")
            data += part
        return bytes(data)

    def command(self, text: str, *, lost: type[AndroidError] = DisconnectedError) -> None:
        """Send a request of the host protocol and wait until it is granted.

        Raises:
            ValueError: *text* is longer than the protocol allows.
            AndroidError: it is refused; or *lost*, the stream ended.
        """
        data = text.encode()
        if len(data) > _REQUEST_MAX:
            raise ValueError(f"a request of {len(data)} bytes is longer than {_REQUEST_MAX}")
        with _translated(self._who, self._deadline, lost=lost):
            self._socket().sendall(b"%04x%b" % (len(data), data))
            self._socket()
            self._connection.check_okay()

    def read_block(self) -> str:
        """Return a string with its length before it, as hosts answer."""
        with _translated(self._who, self._deadline, lost=ServerError):
            self._socket()
            return str(self._connection.read_string_block())

    def close(self) -> None:
        """Close the stream."""
        # Not adbutils' own close, which sleeps.
        self._connection.conn.close()

    def _socket(self) -> Any:
        stream = self._connection.conn
        stream.settimeout(self._deadline.left_s())
        return stream


def open_channel(port: int, who: str, deadline: Deadline, host: str = LOCAL) -> Channel:
    """Return a stream to the adb server on *port* of *host*; none is started.

    Raises:
        ServerError: nothing listens there.
    """
    with _translated(SERVER, deadline, lost=ServerError):
        return Channel(_quiet_connection()(host, port, deadline.left_s()), who, deadline)


def request(port: int, text: str, timeout_s: float, who: str = SERVER, host: str = LOCAL) -> str:
    """Return the answer of the adb server on *port* of *host* to a request (``host:devices``).

    Raises:
        AndroidError: there is no server, it refuses, or does not answer in time.
    """
    deadline = Deadline(timeout_s)
    with closing(open_channel(port, who, deadline, host)) as channel:
        channel.command(text, lost=ServerError)
        return channel.read_block()


def notify(port: int, text: str, timeout_s: float, host: str = LOCAL) -> None:
    """Send a request that the server on *port* does not answer, and wait until it has read it."""
    deadline = Deadline(timeout_s)
    with closing(open_channel(port, SERVER, deadline, host)) as channel:
        data = text.encode()
        channel.send(b"%04x%b" % (len(data), data))
        while channel.read_some(4096):
            pass


@cache
def _quiet_connection() -> Any:
    from adbutils import AdbConnection

    class QuietConnection(AdbConnection):  # type: ignore[misc]  # adbutils is untyped
        """Connects to the server that is there, and starts none."""

        def __init__(self, host: str, port: int, timeout_s: float) -> None:
            self._timeout_s = timeout_s
            self._to = host, port
            super().__init__(host, port)

        def _safe_connect(self) -> Any:
            return socket.create_connection(self._to, self._timeout_s)

    return QuietConnection


@contextmanager
def _translated(who: str, deadline: Deadline, *, lost: type[AndroidError]) -> "Iterator[None]":
    """Turn what sockets and adbutils raise into droidloop's errors; *lost* for an ended stream."""
    from adbutils import AdbError
    from adbutils.errors import AdbTimeout

    try:
        yield
    except (TimeoutError, AdbTimeout) as error:
        raise DeviceTimeoutError(who, f"no answer within {deadline.timeout_s:g} s") from error
    except ConnectionRefusedError as error:
        raise ServerError(SERVER, str(error)) from error
    except OSError as error:
        raise lost(who, f"the stream broke: {error}") from error
    except ValueError as error:
        raise ServerError(SERVER, f"protocol fault: {error}") from error
    except AdbError as error:
        words = str(error)
        if words.startswith("Unknown data: b''") or words == "connection closed":
            raise lost(who, "the stream ended") from error
        if words.startswith("Unknown data: "):
            raise ServerError(SERVER, f"protocol fault: {words}") from error
        raise error_of(who, reason_of(words.strip().split("\n")[0]), words) from error
