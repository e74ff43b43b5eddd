"""``droidloop devices bench``: a model of one's own on real devices."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from droidloop.platform.errors import UsageError

from .device_options import FailedDevicesError, adb_server, bundle_files

if TYPE_CHECKING:
    from droidloop.devices.android.probing.bench import Wish


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="SERIAL... MODEL.tflite")
@click.option("--runs", type=click.IntRange(1, 50_000), default=100, show_default=True)
@click.option("--warmup", type=click.IntRange(0, 50_000), default=10, show_default=True)
@click.option("--threads", type=click.IntRange(1, 64), default=1, show_default=True)
@click.option("--cores", metavar="N,N...", help="Keep to these cores [all].")
@click.option("--signature", help="Of the model [its first].")
@click.option("--input", "inputs", multiple=True, metavar="NAME=FILE.npy", help="[drawn]")
@click.option("--timeout", "timeout_s", type=click.IntRange(1, 86_400), default=600, metavar="S")
@click.option(
    "--benchmark-model",
    "tool",
    type=click.Path(path_type=Path),
    help="Measure with this build of LiteRT's benchmark_model instead of the bundle.",
)
@click.option(
    "--delegate",
    type=click.Choice(["gpu", "nnapi", "xnnpack"]),
    help="That benchmark_model is to compute with in the CPU's place.",
)
@click.option("--profile", is_flag=True, help="Have benchmark_model tell what each operator took.")
@click.option("--csv", "table", type=click.Path(path_type=Path), help="Also write this table.")
@click.option("--picture", type=click.Path(path_type=Path), help="Also draw this PNG.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@adb_server
@bundle_files
def bench(
    words: tuple[str, ...],
    table: Path | None,
    picture: Path | None,
    as_json: bool,
    adb_server: str | None,
    bundles: tuple[Path, ...],
    tool: Path | None,
    delegate: str | None,
    profile: bool,
    **wanted: object,
) -> None:
    """Measure MODEL.tflite on the devices SERIAL... [$ANDROID_SERIAL], on all at the same time."""
    import os
    from dataclasses import replace

    from droidloop.devices.android.adb.server import open_adb
    from droidloop.devices.android.emulator.finding import look
    from droidloop.devices.android.probing.bench import Bench, bench_all
    from droidloop.devices.android.runners.benchmark import open_tool
    from droidloop.scenarios.reports import bench_report

    *serials, model = words
    serials = serials or os.environ.get("ANDROID_SERIAL", "").split()
    if not serials:
        raise UsageError("bench: name a device that `droidloop devices list` shows, then the model")
    if len(set(serials)) < len(serials):
        raise UsageError("bench: a device is named twice; name it once")
    if tool is None and (delegate or profile):
        asked = "--delegate" if delegate else "--profile"
        raise UsageError(f"bench: {asked} is benchmark_model's; give --benchmark-model FILE")
    wish = replace(
        _wish(Path(model), **wanted),  # type: ignore[arg-type]
        tool=None if tool is None else open_tool(tool),
        delegate=delegate,
        profile=profile,
    )
    with open_adb(adb_server) as adb:
        look(adb)
        say = (lambda _: None) if as_json else (lambda line: click.echo(line, err=True))
        found = bench_all(adb, serials, wish, bundles, say)
    rows = [one for one in found.values() if isinstance(one, Bench)]
    failed = {serial: one for serial, one in found.items() if not isinstance(one, Bench)}
    if as_json:
        told = [bench_report.as_json(one) for one in rows]
        errors = {serial: str(error) for serial, error in failed.items()}
        click.echo(json.dumps({"model": str(wish.model), "devices": told, "failed": errors}))
    elif rows:
        from rich.console import Console

        bench_report.show(wish.model.name, rows, Console())
    if table is not None:
        bench_report.write_csv(rows, table)
    if picture is not None:
        bench_report.draw(wish.model.name, rows, picture)
    if failed:
        raise FailedDevicesError("; ".join(map(str, failed.values())))


def _wish(
    model: Path,
    *,
    runs: int,
    warmup: int,
    threads: int,
    cores: str | None,
    signature: str | None,
    inputs: tuple[str, ...],
    timeout_s: int,
) -> "Wish":
    from droidloop.devices.android.probing.bench import Wish

    if not model.is_file():
        raise UsageError(f"{model}: no such file; the model stands last, after the devices")
    pairs = [text.partition("=") for text in inputs]
    if wrong := [name for name, equals, path in pairs if not (name and equals and path)]:
        raise UsageError(f"--input {wrong[0]}: give NAME=FILE.npy")
    numbers = cores.split(",") if cores else []
    if not all(word.isascii() and word.isdigit() and int(word) < 1024 for word in numbers):
        raise UsageError(f"--cores {cores}: give numbers of cores, as 4,5")
    return Wish(
        model,
        signature,
        runs,
        warmup,
        threads,
        tuple(int(word) for word in numbers),
        {name: Path(path) for name, _, path in pairs},
        timeout_s,
    )
