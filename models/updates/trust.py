"""What a phone trusts: a root, and the newest metadata that it has seen of one package.

All decisions are those of python-tuf's own client: who must have signed, that versions never
fall (rollback), that nothing expired is taken (freeze) and that files belong together (mix and
match). It keeps what it has seen in a folder, as its specification says.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

from tuf.api import exceptions
from tuf.ngclient import FetcherInterface, TargetFile, Updater, UpdaterConfig

from droidloop.platform.errors import PackageError

from .parcel import METADATA, Parcel

METADATA_LIMIT_BYTES = 2**18
"""Of one file of metadata: a package of 256 files takes 60 KB of targets."""
ROOT_ROTATIONS = 32
_CHUNK = 2**16


class _InParcel(FetcherInterface):
    """Has python-tuf read a parcel in place of a server."""

    def __init__(self, parcel: Parcel) -> None:
        self._parcel = parcel

    def _fetch(self, url: str) -> Iterator[bytes]:
        name = unquote(urlparse(url).path).lstrip("/")
        if name not in self._parcel:
            raise exceptions.DownloadHTTPError(f"the file has no {name}", 404)
        data = self._parcel.read(name, METADATA_LIMIT_BYTES)
        return iter([data[k : k + _CHUNK] for k in range(0, len(data), _CHUNK)])


@dataclass(frozen=True)
class Trust:
    """A folder of python-tuf's own, and the root that came with the app.

    Attributes:
        folder: of the metadata seen so far; made if absent.
        root: the metadata that all others have to follow from.
    """

    folder: Path
    root: bytes

    def targets(self, parcel: Parcel) -> "Signed":
        """Return what the metadata in *parcel* vouch for; they are known here from then on.

        Raises:
            PackageError: they are not signed as the root says, expired, older than what was seen
                here, or do not belong together.
        """
        config = UpdaterConfig(
            max_root_rotations=ROOT_ROTATIONS,
            root_max_length=METADATA_LIMIT_BYTES,
            snapshot_max_length=METADATA_LIMIT_BYTES,
            targets_max_length=METADATA_LIMIT_BYTES,
        )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            updater = Updater(
                str(self.folder),
                f"parcel:/{METADATA}",
                fetcher=_InParcel(parcel),
                config=config,
                bootstrap=self.root,
            )
            updater.refresh()
        except (exceptions.RepositoryError, exceptions.DownloadError) as error:
            raise PackageError(f"{parcel}: {_reason(error)}") from error
        except OSError as error:
            raise PackageError(
                f"{self.folder}: {error.strerror}; free or name another place"
            ) from error
        return Signed(parcel, updater)


@dataclass(frozen=True)
class Signed:
    """Files that signed metadata vouch for, by name."""

    parcel: Parcel
    updater: Updater

    def target(self, name: str) -> TargetFile:
        """Return what the file *name* has to be.

        Raises:
            PackageError: nobody has signed for such a file.
        """
        found = self.updater.get_targetinfo(name)
        if found is None:
            raise PackageError(f"{self.parcel}: {name} is signed by nobody; fetch another package")
        return found

    def require(self, name: str, data: bytes) -> None:
        """Raise PackageError where *data* are not the file *name* that was signed."""
        try:
            self.target(name).verify_length_and_hashes(data)
        except exceptions.LengthOrHashMismatchError as error:
            raise PackageError(
                f"{self.parcel}: {name} is not what was signed; fetch it again"
            ) from error


def _reason(error: Exception) -> str:
    """Return what is wrong, and what to do, in words of our own and python-tuf's."""
    cause = error.__cause__ if isinstance(error.__cause__, PackageError) else error
    said = " ".join(str(cause).split())[:200]
    match error:
        case exceptions.ExpiredMetadataError():
            return f"{said}; fetch a package that was signed lately"
        case exceptions.BadVersionNumberError():
            return f"older than what is trusted here, or mixed from two ({said}); fetch the newest"
        case exceptions.UnsignedMetadataError():
            return f"not signed by enough keys that are trusted here ({said}); do not use it"
        case exceptions.DownloadError():
            return f"metadata are missing or too large ({said}); fetch it again"
        case exceptions.LengthOrHashMismatchError():
            return f"metadata do not belong together ({said}); fetch it again"
        case _:
            return f"metadata are not to be used ({said}); fetch it again"
