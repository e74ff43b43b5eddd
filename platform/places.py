"""Where a user's files of each kind lie: what is kept between runs, and what is remembered."""

import os
from pathlib import Path

from .errors import UsageError


def home(variable: str) -> Path:
    """Return the user's home; *variable* is what would say better where files are to go.

    Raises:
        UsageError: nobody knows where that is.
    """
    try:
        return Path.home()
    except RuntimeError as error:
        raise UsageError(f"there is no home folder: set HOME or {variable}") from error


def cache_folder(name: str) -> Path:
    """Return the folder *name* of what is kept to save time; it need not be there.

    It lies in ``$XDG_CACHE_HOME/droidloop``, else in ``~/.cache/droidloop``.

    Raises:
        UsageError: nobody knows where that is.
    """
    given = os.environ.get("XDG_CACHE_HOME")
    root = Path(given) if given else home("XDG_CACHE_HOME") / ".cache"
    return root / "droidloop" / name
