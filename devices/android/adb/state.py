"""Where droidloop remembers, across processes, what it has changed on devices and started."""

import os
from pathlib import Path

from droidloop.platform.places import home


def state_folder(name: str) -> Path:
    """Return the folder *name* of droidloop's state, made if absent.

    It lies in ``$DROIDLOOP_STATE``, else ``$XDG_STATE_HOME/droidloop``, else
    ``~/.local/state/droidloop``.
    """
    given = os.environ.get("DROIDLOOP_STATE")
    if given:
        root = Path(given)
    else:
        told = os.environ.get("XDG_STATE_HOME")
        root = (Path(told) if told else home("DROIDLOOP_STATE") / ".local" / "state") / "droidloop"
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
