"""Options of a command that it passes on together, so that it gets them as one mapping."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from click import Parameter

Command = Callable[..., None]


def together(name: str, *options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return what adds *options* to a command, which gets their values by name as *name*."""

    def add(command: Command) -> Command:
        @wraps(command)
        def called(**given: Any) -> None:
            one = {key: given.pop(key) for key in keys}
            command(**given, **{name: one})

        params: list[Parameter] = called.__dict__.setdefault("__click_params__", [])
        before = len(params)
        for option in reversed(options):
            option(called)
        keys = [str(one.name) for one in reversed(params[before:])]
        return called

    return add
