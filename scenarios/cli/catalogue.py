"""``droidloop methods`` and ``droidloop scenarios keys``: what there is to choose and to set."""

import json

import click

from droidloop.platform.errors import UsageError


@click.group()
def methods() -> None:
    """List and show what a scenario can choose by name."""


@methods.command("list")
@click.argument("kind", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list and nothing else.")
def list_methods(kind: str | None, as_json: bool) -> None:
    """List all methods, or those of KIND."""
    from droidloop.scenarios.catalogue import methods as catalogue

    found = catalogue.methods(kind)
    if as_json:
        click.echo(json.dumps([catalogue.facts(one) for one in found]))
        return
    for one in found:
        click.echo(f"{one.kind:11} {one.name:18} {one.summary}")


@methods.command("show")
@click.argument("name", nargs=-1, required=True, metavar="[KIND] NAME")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def show_method(name: tuple[str, ...], as_json: bool) -> None:
    """Print what the method NAME is, its keys and their defaults, and what goes with it."""
    from droidloop.scenarios.catalogue import methods as catalogue

    if len(name) > 2:
        raise UsageError(f"methods show {' '.join(name)}: give one name, a kind before it")
    found = catalogue.method(name[-1], name[0] if len(name) == 2 else None)
    if as_json:
        click.echo(json.dumps(catalogue.facts(found)))
        return
    for line in catalogue.lines(found):
        click.echo(line)


@click.command()
@click.argument("section", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list and nothing else.")
@click.option("--page", is_flag=True, help="Print all as the page docs/keys.md.")
def keys(section: str | None, as_json: bool, page: bool) -> None:
    """List every key of a scenario, or those of SECTION and of the sections within."""
    from droidloop.scenarios.catalogue.keys import parts, records
    from droidloop.scenarios.catalogue.methods import line
    from droidloop.scenarios.catalogue.page import page as made

    if page:
        click.echo(made(), nl=False)
        return
    found = parts(section)
    if as_json:
        click.echo(json.dumps(records(found)))
        return
    for part in found:
        click.echo(f"{part.heading}  # {part.title}")
        for key in part.keys:
            click.echo(f"  {line(key)}")
