"""`python -m tests.fuzz keys` and `inputs`: what comes of hostile input, one line each."""

import json
import sys
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path

import click

from droidloop.scenarios.schema.load import check
from tests.exported_once import exported_once
from tests.fuzz import keys as scenario_keys
from tests.fuzz.inputs import CORPUS
from tests.fuzz.inputs import apart as apart_inputs
from tests.fuzz.parsers import parsers
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


@main.command()
@click.option("--inputs", "count", default=20_000, help="How many, over all parsers.")
@click.option("--only", default="", help="Parsers whose name holds this.")
@click.option("--first", default=0, help="The number of the first input of each parser.")
@click.option("--keep", is_flag=True, help="Keep what is found in the corpus.")
def inputs(count: int, only: str, first: int, keep: bool) -> None:
    """Feed mutated inputs to all parsers."""
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        some = [one for one in parsers(Path(folder)) if only in one.name]
        each = -(-count // len(some))
        for parser in some:
            wrong = [
                one
                for low in range(first, first + each, 250)
                for one in apart_inputs(parser, range(low, min(low + 250, first + each)))
            ]
            found["tried"] += each
            for one in wrong:
                found[one.end.how] += 1
                print(json.dumps([one.parser, one.number, one.end.how, one.end.said]))
                if keep:
                    place = CORPUS / one.parser.replace(" ", "-")
                    place.mkdir(parents=True, exist_ok=True)
                    (place / f"{one.number}").write_bytes(one.data)
            sys.stdout.flush()
    print(json.dumps({"parsers": len(some), **found}))


if __name__ == "__main__":
    main()
