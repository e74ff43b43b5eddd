"""Two days of two QEMU phones and a thousand simulated ones, under every kind of fault.

    python -m tests.phone.two_days [--hours 48] [--phones 1000]

In the middle the run gets SIGKILL, while the storage of one phone is full; another process goes on
with it. Then nothing may be left: no process, no file, no port, no adb forward, and both phones
are clean and of use. One JSON line says what was found, and whether all of it holds; a quarter of
an hour on two idle cores. Phones of ``make phone`` should not run at the same time.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.adb.adb_process import adb_environment, adb_path
from droidloop.devices.android.errors import AndroidError
from droidloop.platform.checkpoint import read_checkpoint
from droidloop.platform.errors import LedgerError
from droidloop.platform.jobs import Outcome
from droidloop.platform.ledger import Rows, read
from droidloop.platform.registry import names
from droidloop.platform.units import HOUR_US
from tests.scenarios.killed_runs import digest

from .conftest import MEMORY_MIB, Attached, attach, healthy
from .image import CACHE
from .made import bundle
from .qemu import free_port, start

ROOT = Path(__file__).parents[2]
MARK = "DROIDLOOP_TWO_DAYS"
"""In the environment of whatever a run starts, by which what is left is found."""
LEFT_S, STARTS_S = 20.0, 120.0
"""So long may take what ends because its parent has ended, and a phone that starts anew."""
DEVICES = 2
_MAIN = "from droidloop.scenarios.cli.main import main; main()"
_REBOOT = """rm -f /usr/bin/reboot
printf '#!/bin/sh\\nsync\\nexec busybox reboot -f\\n' >/usr/bin/reboot
chmod 755 /usr/bin/reboot"""
"""Busybox asks an init of its own; the guest's is a script."""


def scenario(hours: float, phones: int) -> str:
    """Return a scenario of that many simulated phones and two more, with a plan of all faults."""
    some = list(range(DEVICES, DEVICES + phones, 3))
    plan = {
        "server-down": (0.1, 0.02, ""),
        "links-flap": (0.15, 0.05, "share = 0.5"),
        "region-dark": (0.2, 0.1, 'region = "rural"'),
        "clocks-wrong": (0.3, 0.1, "share = 0.5\nahead_s = 900.0"),
        "adb-server-gone": (0.35, 0.01, ""),
        "phones-die": (0.42, 0.05, f"phones = {some}\nshare = 0.7"),
        "storage-full": (0.47, 0.11, f"phones = {[1, *some]}"),
        "device-reboots": (0.07, 0.01, f"phones = {[0, *some]}\nshare = 1.0"),
        "bad-release": (0.9, 1.0, 'how = "slow"'),
    }
    assert sorted(plan) == names("fault")
    tables = [
        f'[[faults]]\nkind = "{kind}"\nat_h = [{at * hours:g}]\nlasts_h = {lasts * hours:g}\n{more}'
        for kind, (at, lasts, more) in plan.items()
    ]
    head = f"""
name = "two-days"
title = "Two phones and {phones} simulated ones, under every kind of fault"
seed = 5

[data]
users = {DEVICES + phones}
items = 120
interactions = 12

[model]
dim = 8

[protocol]
rounds = {round(hours)}
every_s = 3600.0
deadline_s = 1800.0
min_battery = 0.1

[delivery]
variant = "int8"
deadline_s = 3600.0
run_within_s = 1800.0

[evaluation]
every = {max(1, round(hours) // 8)}
baselines = []
"""
    return "\n\n".join([head.strip(), *tables])


@dataclass(frozen=True)
class Commands:
    """Runs ``droidloop`` as processes that are marked, in *folder*."""

    folder: Path
    environment: Mapping[str, str]

    def begin(self, *words: str) -> "subprocess.Popen[str]":
        """Begin ``droidloop`` with *words*."""
        return subprocess.Popen(
            [sys.executable, "-P", "-c", _MAIN, *words],
            text=True,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def do(self, *words: str) -> str:
        """Run ``droidloop`` with *words*, which must succeed; return what it says."""
        process = self.begin(*words)
        said, _ = process.communicate()
        if process.returncode:
            raise RuntimeError(f"droidloop {words[0]}: {process.returncode}: {said[-800:]}")
        return said

    def killed_at(self, run: Path, t_us: int, *words: str) -> int:
        """Begin a run and kill it once its checkpoint is of *t_us* or later; return of when."""
        process = self.begin(*words)
        reached = -1
        while reached < t_us:
            if process.poll() is not None:
                assert process.stdout is not None
                raise RuntimeError(f"it ended before: {process.stdout.read()[-800:]}")
            time.sleep(0.2)
            try:
                reached = read_checkpoint(run)["now_us"]
            except (LedgerError, TypeError):  # renamed while it was read, or not there yet
                continue
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return reached

    def left(self) -> list[str]:
        """Return the commands of marked processes that go on, after some time to end."""
        mark = f"{MARK}={self.environment[MARK]}".encode()
        deadline = time.monotonic() + LEFT_S
        while found := list(_marked(mark)):
            if time.monotonic() > deadline:
                break
            time.sleep(0.2)
        return found


def _marked(mark: bytes) -> Sequence[str]:
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (place / "environ").read_bytes().split(b"\0"):
                found.append((place / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:  # it has ended, or is not ours
            continue
    return found


def listeners() -> set[int]:
    """Return the ports of this machine on which somebody listens."""
    lines = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path("/proc/net", name).read_text().splitlines()[1:]
    ]
    return {int(words[1].rpartition(":")[2], 16) for words in lines if words[3] == "0A"}


def forwards(adb: Adb) -> str:
    """Return what the adb server *adb* forwards."""
    command = [str(adb_path()), "-P", str(adb.port), "forward", "--list"]
    done = subprocess.run(command, capture_output=True, text=True, env=adb_environment())
    return done.stdout.strip()


def played(run: Path, hours: float) -> dict[str, Any]:
    """Return what the ledger of *run* says, and whether it is what it must be."""
    jobs, events = np.sort(read(run, "jobs"), order="job"), read(run, "events")
    theirs = jobs[jobs["measured"]]
    faults = events[events["kind"] == b"fault"]
    seen = {name.decode() for name in faults["name"]}
    last_us = int(max(jobs["finish_us"].max(), events["t_us"].max()))
    ended = Outcome.PLANNED not in set(jobs["outcome"].tolist())
    return {
        "holds": np.array_equal(jobs["job"], np.arange(len(jobs)))
        and ended
        and seen == set(names("fault"))
        and last_us >= hours * HOUR_US
        and {0, 1} == set(theirs["phone"].tolist()),
        "hours": round(last_us / HOUR_US, 2),
        "jobs": len(jobs),
        "outcomes": _counted(jobs),
        "jobs_of_devices": len(theirs),
        "outcomes_of_devices": _counted(theirs),
        "faults": len(faults),
        "kinds_of_faults": len(seen),
    }


def _counted(rows: Rows) -> dict[str, int]:
    counts = Counter(Outcome(int(code)).name.lower() for code in rows["outcome"])
    return dict(sorted(counts.items()))


def two_days(
    pair: Sequence[Attached], adb: Adb, folder: Path, hours: float, phones: int
) -> dict[str, Any]:
    """Play the scenario with *pair* in *folder*, killed once; return what was found."""
    begin_s, ports = time.monotonic(), listeners()
    scratch, state, run = folder / "tmp", folder / "state", folder / "run"
    scratch.mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(scratch),
        "DROIDLOOP_STATE": str(state),
        "XDG_CACHE_HOME": str(CACHE / "cache"),
        MARK: folder.name,
    }
    commands, file = Commands(folder, environment), folder / "two-days.toml"
    file.write_text(scenario(hours, phones))
    serials = [one.phone.serial for one in pair]
    for one in pair:
        one.connection.run(["sh", "-c", _REBOOT])
        commands.do("devices", "list", "--connect", one.phone.serial)
    boots = [_boot(one) for one in pair]
    given = ("--bundle", str(bundle("x86_64").path))
    attached = [word for serial in serials for word in ("--attach", serial)]
    words = ("run", str(file), *attached, *given, "--out", str(run))
    killed_us = commands.killed_at(run, round(hours * HOUR_US / 2), *words)
    between = commands.left()
    commands.do("run", "--resume", str(run), *given)
    found = played(run, hours)
    left = {
        "processes": between + commands.left(),
        "ports": sorted(listeners() - ports),
        "forwards": forwards(adb),
        "files": sorted(path.name for path in scratch.iterdir()),
        "in_the_run": sorted(path.name for path in run.glob("**/*.tmp")),
    }
    for one in pair:
        _answers(one)
    clean = [one.listing() == [] and healthy(one) for one in pair]
    replayed = folder / "replayed"
    commands.do("run", str(file), "--replay", str(run), "--out", str(replayed))
    again = digest(replayed) == digest(run)
    # scenario and devices once more, briefly: they are of use
    brief = ("--set", "protocol.rounds=1", "--set", "faults=[]", "--set", "data.users=4")
    commands.do(*words[:-1], str(folder / "after"), *brief)
    of_use = read(folder / "after", "jobs")
    done = of_use["outcome"][of_use["measured"]] == Outcome.DONE
    facts = {
        "killed_at_h": round(killed_us / HOUR_US, 2),
        **found,
        "left": left,
        "clean": clean,
        "rebooted": [_boot(one) != boot for one, boot in zip(pair, boots, strict=True)],
        "replay_equal": again,
        "done_afterwards": f"{int(done.sum())} of {len(done)}",
        "took_s": round(time.monotonic() - begin_s),
    }
    holds = found["holds"] and not any(left.values()) and all(clean) and again
    return {**facts, "holds": bool(holds and facts["rebooted"][0] and len(done) and done.all())}


def _answers(one: Attached) -> None:
    """Wait until commands run on the phone, which may be starting."""
    deadline = time.monotonic() + STARTS_S
    while True:
        try:
            one.mend()
            one.connection.run(["true"], timeout_s=10.0)
        except AndroidError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            return


def _boot(one: Attached) -> str:
    return one.connection.run(["cat", "/proc/sys/kernel/random/boot_id"]).strip()


def main(hours: float, phones: int) -> int:
    """Start two phones and play; print what was found, return 0 where all of it holds."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="two-days-")))
        adb = stack.enter_context(Adb.start(usb=False))
        pair = []
        for name in ("t1", "t2"):
            machine = start(name, free_port(), memory_mib=MEMORY_MIB, reboots=True)
            stack.callback(machine.kill)
            pair.append(attach(adb, machine))
        facts = two_days(pair, adb, folder, hours, phones)
    print(json.dumps(facts))
    return int(not facts["holds"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.phone.two_days")
    parser.add_argument("--hours", type=float, default=48.0)
    parser.add_argument("--phones", type=int, default=1000)
    given = parser.parse_args()
    sys.exit(main(given.hours, given.phones))
