"""The errors that a user can cause, or that the world can; programming errors stay builtin.

Every message is one line that names the place, the value and the remedy: the command line
prints it as it is. What files and devices say may stand in it, so that it is made one line here,
without controls, however it was put together.
"""

LONGEST = 1000
"""Characters of a message: what a person reads, and a terminal holds."""


def printable(text: str, longest: int = LONGEST) -> str:
    r"""Return *text* as one line without controls, its middle left out where it is longer.

    >>> printable("no\nsuch \x1b[31mcolumn")
    'no such \\x1b[31mcolumn'
    """
    line = " ".join(text.splitlines())
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
    if len(line) <= longest:
        return line
    end = longest // 3
    return f"{line[: longest - end - 3]}...{line[-end:]}"


def shown(value: object, longest: int = 80) -> str:
    """Return *value* as messages show what somebody gave: as Python writes it, but not for long."""
    return printable(repr(value), longest)


class DroidloopError(Exception):
    """The root of all errors of droidloop; the run could not go on."""

    exit_code = 1

    def __str__(self) -> str:
        return printable(super().__str__())


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


class DivergedError(DroidloopError, ValueError):
    """A model's numbers ran away, so that nothing can be ranked by it."""
