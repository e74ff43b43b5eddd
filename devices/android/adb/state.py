"""Where droidloop remembers, across processes, what it has changed on devices and started."""

import os
from pathlib import Path


def state_folder(name: str) -> Path:
    """Return the folder *name* of droidloop's state, made if absent.

    It lies in ``$DROIDLOOP_STATE``, else ``$XDG_STATE_HOME/droidloop``, else
    ``~/.local/state/droidloop``.
    """
    given = os.environ.get("DROIDLOOP_STATE")
    if given:
        root = Path(given)
    else:
        home = os.environ.get("XDG_STATE_HOME")
        root = (Path(home) if home else Path.home() / ".local" / "state") / "droidloop"
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
