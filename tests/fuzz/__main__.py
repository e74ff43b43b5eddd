"""`python -m tests.fuzz keys` or `--inputs N`: what comes of hostile input, one line each."""

import json
import sys
from collections import Counter
from functools import partial

import click

from tests.fuzz import keys as scenario_keys
from tests.fuzz.trial import apart, bad


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
    scenario_keys.warm(only)
    for number, case in enumerate(scenario_keys.cases(only)):
        if number % every:
            continue
        end = apart(partial(scenario_keys.play, case.content), limit_s=limit)
        found[end.how] += 1
        if bad(end):
            last = end.said.strip().splitlines()
            print(json.dumps([case.where, repr(case.value)[:60], end.how, last[-1:], last[-3:-2]]))
            sys.stdout.flush()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
