"""Which error a reason or state that adb gives becomes."""

from collections.abc import Mapping

from droidloop.devices.android.errors import (
    AbsentError,
    AccessError,
    AndroidError,
    ClosedError,
    DisconnectedError,
    NoSuchFileError,
    OfflineError,
    ServerError,
    StorageFullError,
    TransferError,
    UnauthorizedError,
    UnusableStateError,
)
from droidloop.devices.android.parsers.adb_text import Listed, Reason, State

_BY_REASON: Mapping[Reason, type[AndroidError]] = {
    Reason.NO_DEVICES: AbsentError,
    Reason.NOT_FOUND: AbsentError,
    Reason.AMBIGUOUS: ServerError,
    Reason.OFFLINE: OfflineError,
    Reason.UNAUTHORIZED: UnauthorizedError,
    Reason.CLOSED: ClosedError,
    Reason.FAILED_TO_CONNECT: AbsentError,
    Reason.FAILED_TO_AUTHENTICATE: UnauthorizedError,
    Reason.PROTOCOL_FAULT: ServerError,
    Reason.SERVER_GONE: ServerError,
    Reason.DISCONNECTED: DisconnectedError,
    Reason.NO_SPACE: StorageFullError,
    Reason.TOO_LARGE: StorageFullError,
    Reason.PERMISSION: AccessError,
    Reason.NO_SUCH_FILE: NoSuchFileError,
    Reason.NOT_A_FILE: TransferError,
}
_WAITING = {State.OFFLINE, State.CONNECTING, State.AUTHORIZING}


def error_of(
    who: str, reason: Reason, words: str, other: type[AndroidError] = AndroidError
) -> AndroidError:
    """Return the error for a failure of adb that it explained with *words*; *other* if unknown."""
    return _BY_REASON.get(reason, other)(who, words)


def check_state(serial: str, listed: Listed | None) -> None:
    """Return if commands can run on a device that is *listed* so, None for not at all.

    Raises:
        AndroidError: they cannot; the class says why.
    """
    state = State.ABSENT if listed is None else listed.state
    words = "not attached" if listed is None else f"adb lists it as {listed.detail!r}"
    if state is State.ABSENT:
        raise AbsentError(serial, words)
    if state in _WAITING:
        raise OfflineError(serial, words)
    if state is State.UNAUTHORIZED:
        raise UnauthorizedError(serial, words)
    if state is State.NO_PERMISSIONS:
        raise UnauthorizedError(serial, words, "let your user access it (udev rules)")
    if state is not State.DEVICE:
        raise UnusableStateError(serial, words)
