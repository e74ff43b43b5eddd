"""Start and stop two phones for people: ``python -m tests.phone start | stop``."""

import sys
from collections.abc import Callable

from droidloop.devices.android.emulator.finding import forget, remember

from .image import CACHE, PhoneError, missing_tools
from .qemu import Phone, load, start

PHONES = {"p1": 15575, "p2": 15577}
MEMORY_MIB = 1024


def main(arguments: list[str]) -> int:
    """Do what *arguments* say; return a process exit status."""
    commands: dict[tuple[str, ...], Callable[[], int]] = {("start",): _start, ("stop",): _stop}
    command = commands.get(tuple(arguments))
    if command is None:
        print("usage: python -m tests.phone start | stop", file=sys.stderr)
        return 2
    try:
        return command()
    except PhoneError as error:
        print(f"phone: {error}", file=sys.stderr)
        return 1


def _start() -> int:
    if lacking := missing_tools():
        print(f"phone: missing {', '.join(lacking)}: see .ci/phone-packages", file=sys.stderr)
        return 1
    for name, port in PHONES.items():
        phone = _running(name)
        if phone is None:
            print(f"phone: starting {name} (some seconds the first time)", file=sys.stderr)
            phone = start(name, port, memory_mib=MEMORY_MIB, outlive=True)
            phone.save(CACHE / f"{name}.json")
        remember(phone.serial)
        print(phone.serial)
    print("phone: droidloop finds them: droidloop devices list", file=sys.stderr)
    return 0


def _stop() -> int:
    for name in PHONES:
        phone = _running(name)
        if phone is not None:
            phone.kill()
            print(f"phone: ended {name}", file=sys.stderr)
        forget(f"127.0.0.1:{PHONES[name]}")
        (CACHE / f"{name}.json").unlink(missing_ok=True)
    return 0


def _running(name: str) -> Phone | None:
    note = CACHE / f"{name}.json"
    if not note.exists():
        return None
    phone = load(note)
    return phone if phone.alive else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
