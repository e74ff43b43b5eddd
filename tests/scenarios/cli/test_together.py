"""Options that a command gets as one mapping."""

import click
from click.testing import CliRunner

from droidloop.scenarios.cli.together import together


@click.command()
@together("first", click.option("--a", type=int), click.option("--b", "other", multiple=True))
@click.option("--c", default="3")
@together("second", click.option("--d", is_flag=True))
def said(first: dict[str, object], c: str, second: dict[str, object]) -> None:
    """Say what was given."""
    click.echo(f"{first} {c} {second}")


def test_each_option_reaches_the_mapping_that_it_was_added_to() -> None:
    done = CliRunner().invoke(said, ["--d", "--b", "x", "--b", "y"])
    assert done.output == "{'a': None, 'other': ('x', 'y')} 3 {'d': True}\n"


def test_help_lists_options_in_the_order_in_which_they_are_written() -> None:
    lines = CliRunner().invoke(said, ["--help"]).output
    assert lines.index("--a") < lines.index("--b") < lines.index("--c") < lines.index("--d")
