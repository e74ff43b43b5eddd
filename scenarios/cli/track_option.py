"""The option that names trackers, of the commands that play runs."""

import click

track = click.option(
    "--track",
    multiple=True,
    metavar="TRACKER",
    help="Have the curves go there, too, while it runs: mlflow or tensorboard.",
)
