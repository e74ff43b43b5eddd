"""Arguments for a device's shell: each one quoted, whatever it looks like."""

from collections.abc import Sequence

COMMAND_MAX = 32_000
"""Bytes of a command; adb's own limit is 65,535 with everything around it."""


def shell_command(argv: Sequence[str]) -> str:
    r"""Return a command that a POSIX shell, such as Android's mksh, takes apart into *argv* again.

    Every word is quoted, so that none is an assignment, a keyword, a pattern or an option of the
    shell.

    >>> shell_command(["getprop", "it's; reboot"])
    '\'getprop\' \'it\'"\'"\'s; reboot\''

    Raises:
        ValueError: there is no command, an argument holds a NUL or no text, or it is all too long.
    """
    if not argv or not argv[0]:
        raise ValueError("a command needs a name")
    if any("\0" in word for word in argv):
        raise ValueError("no argument can hold a NUL character")
    command = " ".join("'" + word.replace("'", "'\"'\"'") + "'" for word in argv)
    if len(command.encode()) > COMMAND_MAX:
        raise ValueError(f"a command of more than {COMMAND_MAX} bytes")
    return command
