"""The page of all keys: ``docs/keys.md`` is what this makes, and a test compares."""

from .keys import Key, Part, parts

_HEAD = """\
# Keys

Every key of a scenario, made from the code: `droidloop scenarios keys --page > docs/keys.md` renews
this page, and a test compares. `droidloop scenarios keys SECTION` prints a section of it. A default
of `-` says that nothing is set unless the file does. What the sections are for is told in
[Scenarios](scenarios.md), what goes with what by `droidloop methods show NAME`.
"""
_COLUMNS = "| key | type | default | unit | meaning |\n| --- | --- | --- | --- | --- |\n"


def page() -> str:
    """Return the page as Markdown."""
    return "\n".join([_HEAD, *map(_section, parts())])


def _section(part: Part) -> str:
    head = f"## `{part.heading}`\n\n{part.title}\n"
    if not part.keys:
        return f"{head}\nNo keys of its own.\n"
    return f"{head}\n{_COLUMNS}{''.join(map(_row, part.keys))}"


def _row(key: Key) -> str:
    meaning = key.meaning.replace("|", "\\|")
    cells = (f"`{key.name}`", key.type, f"`{key.default}`", key.unit, meaning)
    return f"| {' | '.join(cells)} |\n"
