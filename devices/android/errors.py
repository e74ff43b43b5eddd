"""What can go wrong with a real device, one class for each thing a caller would do differently.

Every message is one line, ``WHO: what happened; what to do``. ``outcome`` is how the job that met
the error ended.
"""

from typing import ClassVar

from droidloop.platform.errors import DeviceError
from droidloop.platform.jobs import Outcome


def one_line(text: str, limit: int = 200) -> str:
    r"""Return *text* from a device as one printable line of at most *limit* characters.

    >>> one_line("no space\nleft \x1b[31m")
    'no space left [31m'
    """
    kept = "".join(c if c.isprintable() else " " for c in text)
    words = " ".join(kept.split())
    return words if len(words) <= limit else words[: limit - 3] + "..."


class AndroidError(DeviceError):
    """A device, its emulator or the adb server did not do what it was asked."""

    outcome: ClassVar[Outcome] = Outcome.FAILED_LINK
    remedy: ClassVar[str] = "see `droidloop devices list`"

    def __init__(self, who: str, what: str, remedy: str | None = None) -> None:
        self.who = who
        self.what = one_line(what)
        self._message = f"{one_line(who)}: {self.what}; {remedy or self.remedy}"
        super().__init__(who, what, remedy)  # what it is made of: SimPy makes another of its kind

    def __str__(self) -> str:
        return self._message


class ServerError(AndroidError):
    """The adb server is not there, or does not speak its protocol."""

    remedy = "it is started again with the next command"


class AbsentError(AndroidError):
    """No device of that serial is attached."""

    outcome = Outcome.FAILED_OFFLINE
    remedy = "plug it in or attach it by its address, then see `droidloop devices list`"


class OfflineError(AndroidError):
    """adb knows the device and gets no answer from it."""

    outcome = Outcome.FAILED_OFFLINE
    remedy = "wait, or attach it again"


class UnauthorizedError(AndroidError):
    """The device does not trust this computer."""

    outcome = Outcome.FAILED_OFFLINE
    remedy = "accept the key in the dialog on its screen"


class UnusableStateError(AndroidError):
    """The device is attached, but in a state in which no command runs (bootloader, recovery)."""

    outcome = Outcome.FAILED_OFFLINE
    remedy = "start Android on it"


class DisconnectedError(AndroidError):
    """The device went away in the middle of something."""

    remedy = "attach it again; the step can be repeated"


class ClosedError(AndroidError):
    """The device refused the service, as it does while it boots."""

    remedy = "wait until it has booted"


class DeviceTimeoutError(AndroidError):
    """The device did not answer, or did not finish, in the time given."""

    outcome = Outcome.FAILED_TIMEOUT
    remedy = "check its link, or give it more time"


class CommandError(AndroidError):
    """A command on the device ended with a status that is not 0."""

    outcome = Outcome.FAILED_RUNNER
    remedy = "run the command by hand in `adb shell`"

    def __init__(self, who: str, what: str, exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__(who, what)
        self.args = (who, what, exit_code)


class OutputTooLongError(AndroidError):
    """A device sent more than was agreed."""

    outcome = Outcome.FAILED_OUTPUT
    remedy = "nothing of it was used"


class TransferError(AndroidError):
    """A file could not be copied for a reason that is none of the classes below."""


class StorageFullError(TransferError):
    """The device has no room for the file."""

    outcome = Outcome.FAILED_STORAGE
    remedy = "free space on it"


class AccessError(TransferError):
    """The device does not let the shell user write or read there."""

    outcome = Outcome.FAILED_STORAGE
    remedy = "use a folder under /data/local/tmp"


class NoSuchFileError(TransferError):
    """The device has no such file or folder."""

    outcome = Outcome.FAILED_OUTPUT
    remedy = "check the path"


class VerificationError(TransferError):
    """A copy differs from its original."""

    remedy = "copy it again"


class ConsoleError(AndroidError):
    """An emulator's console refused a command or did not follow its grammar."""

    outcome = Outcome.FAILED_RUNNER
    remedy = "see 'help' in the console"


class EmulatorError(AndroidError):
    """An emulator could not be configured, started or ended."""

    outcome = Outcome.FAILED_OFFLINE
    remedy = "see its log"


class ConditionError(AndroidError):
    """A link or battery could not be imposed on a device."""

    outcome = Outcome.FAILED_RUNNER
    remedy = "run it without imposed conditions"


class RestoreError(AndroidError):
    """A device still has conditions that droidloop imposed."""

    outcome = Outcome.FAILED_OFFLINE
    remedy = "attach it and start droidloop again: it restores them first"


class ParseError(DeviceError):
    """What a device or a tool printed is not understood; no number was taken from it."""

    outcome: ClassVar[Outcome] = Outcome.FAILED_OUTPUT

    def __init__(self, source: str, what: str, text: str = "") -> None:
        self.source = source
        shown = f": {one_line(text, 80)!r}" if text.strip() else ""
        self._message = f"{source}: {what}{shown}; report the output and the device"
        super().__init__(source, what, text)

    def __str__(self) -> str:
        return self._message
