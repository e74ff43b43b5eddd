"""What a maker's files hold, read for a command and trusted as far as a root goes; their names."""

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from droidloop.platform.errors import UsageError

if TYPE_CHECKING:
    from droidloop.models.packages.package import Package


def received(path: Path, root: Path | None) -> "Package":
    """Return what is in *path*, checked by *root* or by the root that it brings."""
    from droidloop.models.updates.parcel import opened
    from droidloop.models.updates.transport import receive, root_in
    from droidloop.models.updates.trust import Trust

    if root is None:
        with opened(path) as parcel:
            anchor = root_in(parcel)
    else:
        anchor = read(root)
    with tempfile.TemporaryDirectory(prefix="droidloop-trust-") as seen:
        return receive(path, Trust(Path(seen), anchor))


def read(path: Path) -> bytes:
    """Return the root that is in the file *path*."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; name the maker's root.json") from error


def package_name(text: str, key: str) -> str:
    """Return *text*, the value of *key*, if a package may be called that."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", text):
        raise UsageError(
            f"{key} {text!r}: small letters, digits, dots, lines and hyphens; give another"
        )
    return text
