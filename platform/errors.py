"""The errors that a user can cause, or that the world can; programming errors stay builtin.

Every message is one line that names the place, the value and the remedy: the command line
prints it as it is.
"""


class DroidloopError(Exception):
    """The root of all errors of droidloop; the run could not go on."""

    exit_code = 1


class UsageError(DroidloopError):
    """What the user gave cannot be used: a scenario, a data file, an option."""

    exit_code = 2


class ScenarioError(UsageError):
    """A scenario file or a ``--set`` has a wrong key or value."""


class DataError(UsageError):
    """A data set is missing, empty or not what its format promises."""


class LedgerError(DroidloopError):
    """A run directory cannot be read or written as a ledger."""


class PackageError(DroidloopError):
    """A model could not be exported, or a package does not hold what it promises."""


class DeviceError(DroidloopError):
    """A real device did not do what it was asked."""
