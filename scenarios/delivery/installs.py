"""What happens to installed versions, as rows of the ledger's ``installs``."""

from collections.abc import Sequence

from droidloop.devices.installing.installer import Change
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
    )
