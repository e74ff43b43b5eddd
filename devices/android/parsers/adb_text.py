"""What the adb client and server say: lists of devices and reasons of failures."""

import re
from dataclasses import dataclass
from enum import StrEnum

from droidloop.devices.android.errors import ParseError

from .text import lines_of

SOURCE = "adb"


class State(StrEnum):
    """The state in which adb lists a device."""

    DEVICE = "device"
    OFFLINE = "offline"
    UNAUTHORIZED = "unauthorized"
    AUTHORIZING = "authorizing"
    CONNECTING = "connecting"
    NO_PERMISSIONS = "no permissions"
    BOOTLOADER = "bootloader"
    RECOVERY = "recovery"
    RESCUE = "rescue"
    SIDELOAD = "sideload"
    HOST = "host"
    DETACHED = "detached"
    ABSENT = "absent"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """Why adb failed, one word for the texts of all its versions."""

    NO_DEVICES = "no_devices"
    NOT_FOUND = "not_found"
    AMBIGUOUS = "ambiguous"
    OFFLINE = "offline"
    UNAUTHORIZED = "unauthorized"
    CLOSED = "closed"
    FAILED_TO_CONNECT = "failed_to_connect"
    FAILED_TO_AUTHENTICATE = "failed_to_authenticate"
    PROTOCOL_FAULT = "protocol_fault"
    SERVER_GONE = "server_gone"
    DISCONNECTED = "disconnected"
    NO_SPACE = "no_space"
    PERMISSION = "permission"
    NO_SUCH_FILE = "no_such_file"
    NOT_A_FILE = "not_a_file"
    TOO_LARGE = "too_large"
    OTHER = "other"


@dataclass(frozen=True)
class Listed:
    """One line of a list of devices; *detail* is its state in adb's own words."""

    serial: str
    state: State
    detail: str


_REASONS = tuple(
    (re.compile(pattern), reason)
    for pattern, reason in (
        (r"no devices/emulators found", Reason.NO_DEVICES),
        (r"device (?:'.*' )?not found", Reason.NOT_FOUND),
        (r"no device with transport id '.*'", Reason.NOT_FOUND),
        (r"no such device.*", Reason.NOT_FOUND),
        (r"unknown device.*", Reason.NOT_FOUND),
        (r"more than one (?:device/emulator|device|emulator)(?: .*)?", Reason.AMBIGUOUS),
        (r"device offline.*", Reason.OFFLINE),
        (r"device still (?:connecting|authorizing).*", Reason.OFFLINE),
        (r"device unauthorized.*", Reason.UNAUTHORIZED),
        (r"insufficient permissions for device.*", Reason.UNAUTHORIZED),
        (r"closed|device offline \(no transport\)", Reason.CLOSED),
        (r"failed to authenticate to .*", Reason.FAILED_TO_AUTHENTICATE),
        (r"(?:failed|unable) to connect to .*|cannot connect to [0-9].*", Reason.FAILED_TO_CONNECT),
        (r"protocol fault.*", Reason.PROTOCOL_FAULT),
        (r"cannot connect to daemon.*|.*failed to check server version.*", Reason.SERVER_GONE),
        (r"failed to start daemon.*", Reason.SERVER_GONE),
        (r"failed to read copy response.*", Reason.DISCONNECTED),
        (r"couldn't read from device.*|read failed.*|write failed.*", Reason.DISCONNECTED),
        (r"connect(?:ion)? (?:reset|error).*|device '.*' disconnected", Reason.DISCONNECTED),
        (r"no response: .*|connection terminated.*", Reason.DISCONNECTED),
        (r"[0-9]+-byte write failed.*", Reason.DISCONNECTED),
        (r"unexpected EOF.*|EOF|Broken pipe|Connection reset by peer", Reason.DISCONNECTED),
    )
)
# What the device's own system said, at the end of the message of a failed copy.
_ERRNO = (
    ("No space left on device", Reason.NO_SPACE),
    ("Disk quota exceeded", Reason.NO_SPACE),
    ("Quota exceeded", Reason.NO_SPACE),
    ("Permission denied", Reason.PERMISSION),
    ("Operation not permitted", Reason.PERMISSION),
    ("Read-only file system", Reason.PERMISSION),
    ("No such file or directory", Reason.NO_SUCH_FILE),
    ("does not exist", Reason.NO_SUCH_FILE),
    ("Is a directory", Reason.NOT_A_FILE),
    ("Not a directory", Reason.NOT_A_FILE),
    ("File too large", Reason.TOO_LARGE),
    ("Connection reset by peer", Reason.DISCONNECTED),
    ("Broken pipe", Reason.DISCONNECTED),
    ("EOF", Reason.DISCONNECTED),
)
_COPY = re.compile(r"failed to copy '.*' to '.*': (.*)")
_ERROR = re.compile(r"(?:adb(?:\.exe)?: )?error: (.*)|adb(?:\.exe)?: (?!warning: )(.*)")
_PREFIXES = ("failed to get feature set: ", "failed to stat remote object: ")


def reason_of(message: str) -> Reason:
    """Return why adb failed, from one *message* without its ``adb: error:``."""
    copy = _COPY.fullmatch(message)
    if copy is not None:
        # File names are quoted before: only what follows the last quote is the reason.
        return _errno(copy[1]) or _known(copy[1]) or Reason.OTHER
    for prefix in _PREFIXES:
        message = message.removeprefix(prefix)
    return _known(message) or _errno(message) or Reason.OTHER


def failure_of(output: str, exit_status: int | None = None) -> tuple[Reason, str] | None:
    """Return reason and words of the failure of an adb client, None if it succeeded.

    *output* holds both its streams. Summaries such as ``1 file pushed`` are printed after
    failures too and mean nothing. A client whose device goes away in the middle of a command may
    say nothing at all and end with 255.
    """
    messages = [
        (match[1] or match[2] or "").strip()
        for line in lines_of(output)
        if (match := _ERROR.fullmatch(line)) is not None
    ]
    if not messages:
        messages = [line.strip() for line in lines_of(output) if line.startswith("failed to ")]
    named = [(reason_of(message), message) for message in messages if message]
    if named:
        return next((n for n in named if n[0] is not Reason.OTHER), named[0])
    if exit_status == 255 and not output.strip():
        return Reason.DISCONNECTED, "nothing"
    return (Reason.OTHER, output.strip()) if exit_status else None


def parse_host_devices(answer: str) -> tuple[Listed, ...]:
    """Return the devices in a server's *answer* to ``host:devices``.

    Raises:
        ParseError: a line has no tab between serial and state.
    """
    return tuple(_listed(line) for line in answer.split("\n") if line)


def _listed(line: str) -> Listed:
    serial, _, state = line.partition("\t")
    if not serial or not state.strip():
        raise ParseError(SOURCE, "not a line of a device", line)
    words = state.strip()
    if words.startswith("no permissions"):
        return Listed(serial, State.NO_PERMISSIONS, words)
    first = words.split()[0]
    known = first in State._value2member_map_ and first not in ("absent", "unknown")
    return Listed(serial, State(first) if known else State.UNKNOWN, words)


def _known(message: str) -> Reason | None:
    return next((reason for pattern, reason in _REASONS if pattern.fullmatch(message)), None)


def _errno(message: str) -> Reason | None:
    return next((reason for words, reason in _ERRNO if message.endswith(words)), None)
