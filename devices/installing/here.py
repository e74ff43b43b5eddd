"""Installs package files on this host: what a phone's app does, without a phone."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import final

from droidloop.devices.android.runners.host_runner import HostRunner
from droidloop.models.packages.litert import installed_runtime
from droidloop.models.packages.package import Package
from droidloop.models.updates.choice import Limits
from droidloop.models.updates.transport import receive
from droidloop.models.updates.trust import Trust
from droidloop.platform.errors import PackageError

from .installer import STATE, Change, Installer, folder_of
from .place import VERSIONS, FolderPlace


@final
@dataclass(frozen=True)
class Here:
    """A folder with one package's versions, and the root that it trusts.

    Attributes:
        folder: of what is installed; made if absent.
        root: metadata of the maker.
        python: whose runtime runs the models.
        runtime: its ``runtime_code``; None: that of the LiteRT here.
    """

    folder: Path
    root: bytes
    python: str = sys.executable
    runtime: int | None = None

    def install(
        self, path: Path, variant: str | None = None, limits: Limits | None = None
    ) -> list[Change]:
        """Install the package file or patch *path*; return all that happened.

        Raises:
            PackageError: the file is not to be trusted, or not one for this folder.
        """
        changes: list[Change] = []
        name = self.name()
        base = None if name is None else self._base(name)
        trust = Trust(self.folder / "trust", self.root)
        chosen = None if variant is None else [variant]
        package = receive(path, trust, variants=chosen, base=base, name=name)
        if limits is None:
            runtime = installed_runtime() if self.runtime is None else self.runtime
            limits = Limits.of_one(runtime=runtime)
        installer = self._installer(package.manifest.name)
        installer.tell = changes.append
        installer.install(package, limits)
        return changes

    def name(self) -> str | None:
        """Return the name of the package that is installed; None: nothing is.

        Raises:
            PackageError: there are two.
        """
        found = sorted(path.name for path in self.folder.glob(f"*.{STATE}"))
        if len(found) > 1:
            raise PackageError(f"{self.folder}: holds {' and '.join(found)}; name another folder")
        return found[0].removesuffix(f".{STATE}") if found else None

    def installed(self) -> Package | None:
        """Return the version that works; None: there is none."""
        name = self.name()
        return None if name is None else self._base(name)

    def come_back(self, why: str) -> Change:
        """Return to the version before.

        Raises:
            PackageError: there is none.
        """
        name = self.name()
        if name is None:
            raise PackageError(f"{self.folder}: nothing is installed; apply a package first")
        return self._installer(name).come_back(why)

    def _installer(self, name: str) -> Installer:
        return Installer(FolderPlace(self.folder), HostRunner(self.python), name)

    def _base(self, name: str) -> Package | None:
        works = self._installer(name).installed
        if works is None:
            return None
        folder = self.folder / VERSIONS / folder_of(name, *works)
        return Package.load(folder, only=(works[1],))
