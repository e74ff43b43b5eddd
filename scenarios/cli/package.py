"""``droidloop package``: models as signed files, and patches. Heavy imports wait inside."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from droidloop.platform.errors import PackageError, UsageError

from .package_devices import deliver, installed
from .package_files import package_name, read, received

if TYPE_CHECKING:
    from droidloop.models.packages.package import Package

_FILE = click.Path(path_type=Path)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
_root = click.option("--root", type=_FILE, help="root.json of the maker whose file it has to be.")


@click.group()
def package() -> None:
    """Build, look into, patch, unpack and deliver packages of models."""


package.add_command(deliver)
package.add_command(installed)


@package.command()
@click.argument("folder", type=_FILE)
def keys(folder: Path) -> None:
    """Make keys for signing in the new FOLDER; FOLDER/root.json is what phones get."""
    from droidloop.models.updates.signing import ROLES, ROOT, Keys

    Keys.make(folder)
    for role, (count, threshold) in ROLES.items():
        click.echo(f"{role:10} {count} keys, {threshold} must sign")
    click.echo(f"trust it with --root {folder / ROOT}; keep the .pem files to yourself")


@package.command()
@click.argument("folder", type=_FILE)
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice(["root", "targets", "snapshot", "timestamp"]),
    help="Whose keys are replaced [none: the root alone is renewed].",
)
def rotate(folder: Path, roles: tuple[str, ...]) -> None:
    """Replace keys in FOLDER; packages signed from then on lead phones to the new ones."""
    from droidloop.models.updates.signing import ROOT, Keys

    Keys.open(folder).rotate(roles)
    for role in roles:
        click.echo(f"{role}: new keys; the old ones sign nothing any more, remove their .pem files")
    click.echo(f"{folder / ROOT} is new; phones that have an older one follow it")


@package.command()
@click.argument("model", type=_FILE, metavar="MODEL.tflite")
@click.option("--golden", type=_FILE, required=True, help="Inputs by name, an .npz file.")
@click.option("--keys", "folder", type=_FILE, required=True, help="Folder of `package keys`.")
@click.option("--name", help="Of the package [that of the file].")
@click.option(
    "--version", "number", type=click.IntRange(1, 2**31 - 1), default=1, show_default=True
)
@click.option("--variants", default="float32,int8", show_default=True, metavar="NAME,...")
@click.option(
    "--days",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    help="Until it expires.",
)
@click.option("--out", type=_FILE, help="The file [NAME-VERSION.pkg].")
def build(
    model: Path,
    golden: Path,
    folder: Path,
    name: str | None,
    number: int,
    variants: str,
    days: float,
    out: Path | None,
) -> None:
    """Make a signed package of MODEL.tflite, which has to answer the golden inputs everywhere."""
    from droidloop.models.packages.brought import package_of
    from droidloop.models.updates.signing import Keys
    from droidloop.models.updates.transport import pack

    signer = Keys.open(folder)
    called = package_name(model.stem.lower() if name is None else name, "--name")
    chosen = [one.strip() for one in variants.split(",")]
    made = package_of(model, golden, name=called, version=number, variants=chosen)
    path = out or Path(f"{called}-{number}.pkg")
    packed = pack(made, signer.sign(made, days=days), path)
    for line in _lines(made):
        click.echo(line)
    click.echo(f"{path}: {packed.size_bytes} bytes")


@package.command()
@click.argument("file", type=_FILE)
@_root
@_as_json
def inspect(file: Path, root: Path | None, as_json: bool) -> None:
    """Check FILE and print what it holds."""
    made = received(file, root)
    if as_json:
        click.echo(json.dumps({"sha256": made.sha256, **made.manifest.model_dump(mode="json")}))
        return
    for line in _lines(made):
        click.echo(line)
    if root is None:
        click.echo("whole and signed by the root that it brings; whose that is, --root tells")
    else:
        click.echo(f"whole and signed by {root}")


@package.command()
@click.argument("old", type=_FILE)
@click.argument("new", type=_FILE)
@click.option("--variant", help="The one that phones have [all].")
@click.option("--out", type=_FILE, required=True, help="The patch.")
@_root
@_as_json
def diff(
    old: Path, new: Path, variant: str | None, out: Path, root: Path | None, as_json: bool
) -> None:
    """Write what makes NEW of OLD, each file in the way that takes the fewest bytes."""
    from droidloop.models.updates.delta import deltas
    from droidloop.models.updates.parcel import opened
    from droidloop.models.updates.transport import metadata_in, pack

    before, after = (received(path, root) for path in (old, new))
    if (before.manifest.name, after.manifest.name) != (before.manifest.name,) * 2:
        raise UsageError(f"{new}: is {after.manifest.name}, not {before.manifest.name}")
    with opened(new) as parcel:
        metadata = metadata_in(parcel)
    chosen = None if variant is None else [variant]
    packed = pack(after, metadata, out, variants=chosen, base=before)
    ways: dict[str, dict[str, Any]] = {
        name: {
            "taken": way,
            "bytes": size,
            "ways": _sizes(deltas(before.files.get(name, b""), after.files[name])),
        }
        for name, (way, size) in packed.ways.items()
        if name in after.files and way != "kept"
    }
    part = out.with_name(f".{out.name}.whole")
    whole_bytes = pack(after, metadata, part, variants=chosen).size_bytes
    part.unlink()
    if as_json:
        click.echo(
            json.dumps({"bytes": packed.size_bytes, "whole_bytes": whole_bytes, "files": ways})
        )
        return
    for name, one in ways.items():
        others = ", ".join(f"{way} {size}" for way, size in one["ways"].items())
        click.echo(f"{name:28} {one['taken']:8} {one['bytes']:>10} bytes of ({others})")
    click.echo(f"{out}: {packed.size_bytes} bytes instead of {whole_bytes}")


@package.command("apply")
@click.argument("files", nargs=-1, type=_FILE, metavar="FILE...")
@click.option("--into", type=_FILE, required=True, help="Folder of what is installed.")
@click.option("--variant", help="The one to install [the nearest to the model that is right here].")
@click.option("--return", "back", is_flag=True, help="Return to the version before instead.")
@_root
def apply_files(
    files: tuple[Path, ...], into: Path, variant: str | None, back: bool, root: Path | None
) -> None:
    """Install package or patch FILE..., one by one, as a phone does: proved, or refused."""
    from droidloop.devices.installing.here import Here
    from droidloop.models.updates.slots import Event

    if back == bool(files) or (files and root is None):
        raise UsageError("package apply: give --root and files to install, or --return alone")
    here = Here(into, b"" if root is None else read(root))
    if back:
        click.echo(here.come_back("asked to").line(here.name() or ""))
    for path in files:
        changes = here.install(path, variant)
        for one in changes:
            click.echo(one.line(here.name() or ""))
        if changes[-1].event is not Event.SWITCHED:
            raise PackageError(f"{path}: not installed: {changes[-1].why}")


def _lines(made: "Package") -> list[str]:
    manifest = made.manifest
    face = ", ".join(f"{one.name} {one.dtype}{list(one.shape)}" for one in manifest.inputs)
    gives = ", ".join(f"{one.name} {one.dtype}{list(one.shape)}" for one in manifest.outputs)
    return [
        f"{manifest.name} {manifest.version}: {manifest.signature}({face}) -> {gives}",
        *(
            f"  {name:13} {made.delivery_bytes(name):>10} bytes, "
            f"{one.ram_bytes / 2**20:.1f} MiB of RAM, runtime {one.min_runtime}, "
            f"golden outputs within {one.tolerance:.3g}"
            for name, one in manifest.variants.items()
        ),
    ]


def _sizes(found: dict[str, bytes]) -> dict[str, int]:
    return {way or "whole": len(data) for way, data in found.items()}
