"""`python -m tests.fuzz keys` or `--inputs N`: what comes of hostile input, one line each."""

import json
import sys
from collections import Counter
from functools import partial

import click

from droidloop.scenarios.schema.load import check
from tests.exported_once import exported_once
from tests.fuzz import keys as scenario_keys
from tests.fuzz.trial import apart, bad, judged


@click.group()
def main() -> None:
    """Try hostile input, and print what has to be mended."""


@main.command()
@click.option("--only", default="", help="Cases whose name holds this.")
@click.option("--every", default=1, help="One case of so many.")
@click.option("--limit", default=10, help="Seconds a case.")
def keys(only: str, every: int, limit: int) -> None:
    """Play a small run with each value of each key."""
    found: Counter[str] = Counter()
    with exported_once():
        _keys(found, only, every, limit)
    print(json.dumps(found))


def _keys(found: Counter[str], only: str, every: int, limit: int) -> None:
    scenario_keys.warm(only)
    for number, case in enumerate(scenario_keys.cases(only)):
        if number % every:
            continue
        end = judged(partial(check, case.content, "small.toml"))
        if end.how == "ok":
            end = apart(partial(scenario_keys.tried, case), limit_s=limit)
        found[end.how] += 1
        if bad(end):
            last = end.said.strip().splitlines()
            print(json.dumps([case.where, repr(case.value)[:60], end.how, last[-1:], last[-3:-2]]))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
