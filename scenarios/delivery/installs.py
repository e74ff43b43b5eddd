"""What happens to installed versions of real devices, as rows of the ledger's ``installs``."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from droidloop.devices.installing.installer import Change
from droidloop.devices.installing.rollout import Target
from droidloop.platform.errors import UsageError
from droidloop.platform.ledger import Ledger


def note_changes(ledger: Ledger, t_us: int, phone: int, changes: Sequence[Change]) -> None:
    """Write what has happened on the real device of *phone* by *t_us*."""
    if not changes:
        return
    ledger.note(
        "installs",
        t_us=t_us,
        done_us=t_us,
        phone=phone,
        round=-1,
        version=[one.version for one in changes],
        before=[one.before for one in changes],
        event=[one.event.name.lower() for one in changes],
        variant=[one.variant for one in changes],
        why=[one.why for one in changes],
        fetched_bytes=[one.sent_bytes for one in changes],
        whole_bytes=[one.whole_bytes for one in changes],
    )


@contextmanager
def noting(folder: Path | None, targets: Sequence[Target]) -> Iterator[None]:
    """Have a ledger in the new *folder*, if one is given, tell what happens on *targets*.

    Phones are the targets by number, times are since the block began.

    Raises:
        UsageError: *folder* exists.
    """
    if folder is None:
        yield
        return
    if folder.exists():
        raise UsageError(f"--ledger {folder}: exists; name a new folder")
    begin_ns = time.monotonic_ns()
    told: list[tuple[int, int, Change]] = []

    def teller(phone: int) -> Callable[[Change], None]:
        def tell(change: Change) -> None:
            told.append(((time.monotonic_ns() - begin_ns) // 1000, phone, change))

        return tell

    for phone, target in enumerate(targets):
        target.installer.tell = teller(phone)
    try:
        yield
    finally:
        ledger = Ledger(folder)
        for t_us, phone, change in sorted(told, key=lambda one: one[0]):
            note_changes(ledger, t_us, phone, [change])
        ledger.close()
