"""What receivers refused of a run's messages, and whether anything was learned at all."""

from collections.abc import Iterator

from droidloop.platform.ledger import Rows, texts


def refusals(events: Rows) -> dict[str, int] | None:
    """Return how many uploads came and how many messages were refused, in all and by cause.

    None: there was no turn. ``came`` counts what reached a server or the phones of a turn;
    ``not_folded`` what the server did not fold, for whatever reason.
    """
    turns = events[events["kind"] == b"round"]
    if not len(turns):
        return None
    causes: dict[str, int] = {}
    rows = events[events["kind"] == b"refused"]
    for name, value in zip(texts(rows["name"]), rows["value"].tolist(), strict=True):
        causes[name] = causes.get(name, 0) + value
    facts = {"came": _sum(turns, b"done"), "refused": sum(causes.values())}
    if (turns["name"] == b"refused").any():
        facts["not_folded"] = _sum(turns, b"refused")
    return facts | {f"refused_{name}": causes[name] for name in sorted(causes)}


def refusal_lines(facts: dict[str, int] | None) -> Iterator[str]:
    """Yield them in words, where something was refused or nothing came."""
    if facts is None:
        return
    came, refused = facts["came"], facts["refused"]
    causes = ", ".join(
        f"{name.removeprefix('refused_')} {count:,}"
        for name, count in facts.items()
        if name.startswith("refused_")
    )
    if came == 0:
        yield "notice: nothing was learned: no phone came to the end of a turn"
    elif facts.get("not_folded", 0) >= came:
        yield (
            f"notice: nothing was learned: the server refused every one of {came:,} uploads "
            f"({causes or 'all too old'})"
        )
    elif refused:
        yield f"notice: {refused:,} messages were refused ({causes}); {came:,} phones' turns ended"


def _sum(turns: Rows, name: bytes) -> int:
    return int(turns["value"][turns["name"] == name].sum())
