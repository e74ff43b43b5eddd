"""The files of Android virtual devices (AVDs): where they lie, and the hardware they ask for."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from droidloop.devices.android.errors import EmulatorError
from droidloop.platform import places

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_ORIGINAL = "config.ini.droidloop-original"
_MIB = 2**20


@dataclass(frozen=True)
class Hardware:
    """What an AVD is to have, as its row of the population says; None leaves it as it is."""

    ram_bytes: int | None = None
    cores: int | None = None
    storage_bytes: int | None = None

    def settings(self) -> Mapping[str, str]:
        """Return the keys and values of ``config.ini``; sizes are rounded down to MiB."""
        settings = {}
        if self.ram_bytes is not None:
            settings["hw.ramSize"] = str(self.ram_bytes // _MIB)
        if self.cores is not None:
            settings["hw.cpu.ncore"] = str(self.cores)
        if self.storage_bytes is not None:
            settings["disk.dataPartition.size"] = f"{self.storage_bytes // _MIB}M"
        return settings


def avd_folder(name: str) -> Path:
    """Return the folder of the AVD *name*.

    Raises:
        EmulatorError: there is no such AVD.
    """
    if _NAME.fullmatch(name) is None:
        raise EmulatorError(name, "no AVD can have this name", "see `emulator -list-avds`")
    home = avd_home(name)
    ini = home / f"{name}.ini"
    folder = home / f"{name}.avd"
    if ini.is_file():
        path = _read(ini).get("path")
        folder = Path(path) if path else folder
    if not (folder / "config.ini").is_file():
        raise EmulatorError(name, f"no AVD in {folder}", "create it with avdmanager")
    return folder


def configure(folder: Path, hardware: Hardware) -> None:
    """Write *hardware* to the AVD in *folder*; its own configuration is kept beside it.

    ``unconfigure`` brings that back. Doing this twice, or after a crash in between, never loses
    it.
    """
    config, original = folder / "config.ini", folder / _ORIGINAL
    if not original.exists():
        _write(original, config.read_text())
    settings = dict(hardware.settings())
    lines = []
    for line in original.read_text().splitlines():
        key = line.partition("=")[0].strip()
        lines.append(f"{key}={settings.pop(key)}" if key in settings else line)
    lines += [f"{key}={value}" for key, value in settings.items()]
    _write(config, "\n".join(lines) + "\n")


def unconfigure(folder: Path) -> None:
    """Bring back the AVD's own configuration, if it was changed."""
    original = folder / _ORIGINAL
    if original.exists():
        os.replace(original, folder / "config.ini")


def avd_home(name: str) -> Path:
    """Return the folder that holds the AVD *name*, or where it would be looked for first.

    The SDK's tools do not agree: where ``XDG_CONFIG_HOME`` is set, as on hosted runners,
    ``avdmanager`` creates AVDs below it, and the emulator looks for them in the home folder.
    """
    environment = os.environ.get
    if given := environment("ANDROID_AVD_HOME"):
        return Path(given)
    user, config = environment("ANDROID_USER_HOME"), environment("XDG_CONFIG_HOME")
    homes = [Path(user)] if user else []
    homes += [Path(config) / ".android"] if config else []
    homes.append(places.home("ANDROID_AVD_HOME") / ".android")
    found = (home / "avd" for home in homes if (home / "avd" / f"{name}.ini").is_file())
    return next(found, homes[0] / "avd")


def _read(path: Path) -> dict[str, str]:
    pairs = (line.partition("=") for line in path.read_text().splitlines())
    return {key.strip(): value.strip() for key, equals, value in pairs if equals}


def _write(path: Path, text: str) -> None:
    beside = path.with_name(path.name + ".part")
    beside.write_text(text)
    os.replace(beside, path)
