"""Every parser of ours that reads what others have written, with good inputs to begin from."""

import gzip
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from droidloop.devices.android.runners.job_files import conclude
from droidloop.devices.fleets.device_outputs import outputs_of
from droidloop.devices.fleets.model_job import ModelJob, Ran
from droidloop.devices.population.profile_files import read_profile, write_profile
from droidloop.devices.population.profiles import PROFILES
from droidloop.devices.population.recorded import charging_windows, rate_traces
from droidloop.devices.population.stays import ChurnSpec, stays_of
from droidloop.models.data.fields import movielens_fields
from droidloop.models.data.foursquare import load_check_ins
from droidloop.models.data.readers import load
from droidloop.models.data.streaming import stream
from droidloop.models.packages.package import Package
from droidloop.models.updates.delta import deltas, restored
from droidloop.models.updates.frontier import read_frontier
from droidloop.models.updates.signing import Keys
from droidloop.models.updates.transport import pack, receive
from droidloop.models.updates.trust import Trust
from droidloop.network.generators import from_file
from droidloop.platform.checkpoint import NAME, read_checkpoint, write_checkpoint
from droidloop.platform.draws import Draws
from droidloop.platform.rundir import RunDirectory
from droidloop.platform.tables import TABLES
from droidloop.scenarios.reports.summary import records, summarise
from droidloop.scenarios.schema.load import LIBRARY
from droidloop.scenarios.schema.load import load as load_scenario
from droidloop.scenarios.sweep.plan import plan_of
from droidloop.scenarios.sweep.sweep import SweepDirectory
from tests.devices.android.parsers.test_parsers_survive import CASES
from tests.fuzz.keys import SMALL, play
from tests.models.updates.conftest import versioned


@dataclass(frozen=True)
class Parser:
    """What reads a file of that *name* in a folder of its own, and *good* contents of it.

    ``named``: what it refuses names the file.
    """

    name: str
    file: str
    good: Sequence[bytes]
    read: Callable[[Path], object]
    named: bool = True


def parsers(folder: Path) -> Iterator[Parser]:
    """Yield all; *folder* is where what some of them need is made, and stays."""
    yield from _texts(folder)
    yield from _data()
    yield from _replies()
    yield from _results()
    yield from _runs(folder)
    yield from _packages(folder)


def _texts(folder: Path) -> Iterator[Parser]:
    library = [path.read_bytes() for path in sorted(LIBRARY.glob("*.toml"))]
    yield Parser("scenario", "mine.toml", library, load_scenario)
    sweeps = [
        b'base = "quickstart"\nseeds = [1, 2]\n\n[grid]\n"model.dim" = [8, 16]\n',
        b'base = "gossip"\n[fixed]\nprotocol.rounds = 2\n[random]\ncount = 3\nseed = 2\n'
        b'[random.keys]\n"model.dim" = {from = 4, to = 64, scale = "log"}\n',
    ]
    yield Parser("sweep", "sweep.toml", sweeps, plan_of)
    figures = {"name": "int8", "bytes": 9, "peak_ram_bytes": 99, "latency_s": 1e-3, "value": 0.5}
    far = {"name": "deep", "out_of_reach": "too many rows"}
    frontier = "".join(f"{json.dumps(line)}\n" for line in (figures, far)).encode()
    yield Parser("frontier", "frontier.jsonl", [frontier], read_frontier)
    profile = write_profile(PROFILES["2017-2gb"], folder).read_bytes()
    yield Parser("profile", "mine.toml", [profile], read_profile)
    csv = b"t_s,bytes_per_s\n0,1000\n1,2000\n2.5,0\n"
    net = b"Timestamp,DL_bitrate,UL_bitrate\n2019.12.01_12.11.21,100,5\n2019.12.01_12.11.22,7,1\n"
    yield Parser("trace csv", "x.csv", [csv, net], _traced)
    yield Parser("trace gz", "x.csv.gz", [gzip.compress(csv, mtime=0)], _traced)
    span = b'{"duration_ms": 1000, "bandwidth_kbps": 500}'
    sabre = b"[" + span + b", " + span.replace(b"0", b"1") + b"]"
    yield Parser("trace json", "x.json", [sabre], _traced)
    yield Parser("trace mahimahi", "x.down", [b"0\n1\n1\n5\n1001\n"], _traced)
    edges = b"# who\n0 1\n1 2 30\n2,3,4\n"
    yield Parser("edges", "edges.txt", [edges], lambda path: from_file(path, 5))
    stays = b"phone,from_h,until_h,how,profile\n0,0,5,silent,\n0,6,,announced,a\n1,1,2,forget,\n"
    spec = {"a": 1.0}
    yield Parser(
        "stays",
        "stays.csv",
        [stays],
        lambda path: stays_of(ChurnSpec(file=path), 4, spec, Draws(1, "x")),
    )
    hours = "".join(f"{d},{h * 3600},{h * 3600 + 1800}\n" for d in "ab" for h in range(26))
    charged = f"device,start_s,end_s\n{hours}".encode()
    kinds = charged.replace(b"end_s\n", b"end_s,kind\n").replace(b"00\n", b"00,charging\n")
    yield Parser(
        "charging",
        "charge.csv",
        [charged, kinds],
        lambda path: charging_windows(path, Draws(1, "x")),
    )


def _traced(path: Path) -> object:
    return rate_traces(path, 0.5)


def _data() -> Iterator[Parser]:
    lines = [f"{u},{i},{1 + i % 5},{1000 + u * i}" for u in range(4) for i in range(5)]
    text = "\n".join(["user,item,rating,time", *lines, ""]).encode()
    iso = text.replace(b",1000\n", b",2020-01-01T00:00:00\n")
    yield Parser("csv", "x.csv", [text, iso, text.replace(b"\n", b"\r")], load)
    yield Parser("csv.gz", "x.csv.gz", [gzip.compress(text, mtime=0)], load)
    tabs = "\n".join(line.replace(",", "\t") for line in lines).encode()
    yield Parser("ml-100k", "u.data", [tabs], load)
    yield Parser("ml-1m", "ratings.dat", [tabs.replace(b"\t", b"::")], load)
    columns: dict[str, Any] = {
        "user": np.repeat(np.arange(9), 4),
        "item": np.tile(np.arange(4), 9),
        "rating": np.ones(36),
        "time": np.arange(36),
    }
    words = {**columns, "user": [f"u{n}" for n in columns["user"]], "rating": [None] * 36}
    real = {**columns, "user": np.where(np.arange(36) > 30, np.nan, columns["user"])}
    tables = [_parquet(one) for one in (columns, words, real)]
    yield Parser("parquet", "x.parquet", tables, load)
    yield Parser("parquet as csv", "x.csv", tables, load)
    yield Parser("streamed", "x.parquet", tables, stream)
    visits = np.array([[1, 7, 5], [1, 8, 9], [2, 7, 3]], np.int64)
    places = np.array([[7.0, 40.1, -73.0], [8.0, 40.2, -73.1]])
    yield Parser("check-ins", "NYC.npy", [_npy(visits)], _beside("NYC_POI.npy", _npy(places)))
    yield Parser("places", "NYC_POI.npy", [_npy(places)], _beside("NYC.npy", _npy(visits)))
    people = b"1|24|M|technician|85711\n2|53|F|other|94043\n"
    films = b"".join(b"%d|T|01-Jan-1995||u|" % n + b"|".join([b"0"] * 19) + b"\n" for n in (1, 2))
    both = np.array([1, 2])

    def fields(name: str, other: bytes) -> Callable[[Path], object]:
        def read(path: Path) -> object:
            (path.parent / name).write_bytes(other)
            return movielens_fields(path.parent, both, both)

        return read

    yield Parser("u.user", "u.user", [people], fields("u.item", films))
    yield Parser("u.item", "u.item", [films], fields("u.user", people))


def _parquet(columns: dict[str, Any]) -> bytes:
    sink = BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def _npy(array: Any) -> bytes:
    sink = BytesIO()
    np.save(sink, array)
    return sink.getvalue()


def _beside(name: str, data: bytes) -> Callable[[Path], object]:
    def read(path: Path) -> object:
        (path.parent / name).write_bytes(data)
        return load_check_ins(path.parent)

    return read


def _replies() -> Iterator[Parser]:
    """Yield what understands devices and the adb server; errors name the command instead."""
    for number, (parse, _, example) in enumerate(CASES):

        def read(path: Path, parse: Callable[[str], object] = parse) -> object:
            return parse(path.read_bytes().decode(errors="replace"))

        name = f"reply {number} {parse.__name__}"
        yield Parser(name, "reply.txt", [example.encode()], read, named=False)


def _results() -> Iterator[Parser]:
    job = ModelJob(Path("m"), {"x": np.zeros(2, np.float32)}, ["y"], steps=2)
    output = {"name": "y", "dtype": "float32", "shape": [2], "offset": 0, "count": 1}
    answer = {
        **{"status": "done", "message": "", "load_us": 3, "wall_us": 99, "cpu_us": 50},
        **{"peak_rss_bytes": 4096, "invoke_us": [4, 5], "outputs": [output]},
    }

    def result(path: Path) -> object:
        text = path.read_bytes().decode(errors="replace")
        found = conclude(job, 0, text, "", lambda size: bytes(min(size, 1 << 20)))
        if isinstance(found, Ran):
            assert found.outputs["y"].nbytes < 1 << 20
        return found

    failed = json.dumps({"status": "failed", "message": "no\nmemory"}).encode()
    yield Parser("result", "result.json", [json.dumps(answer).encode(), failed], result)
    kept = BytesIO()
    np.savez(kept, new_rows=np.ones((3, 2), np.float32), new_user=np.ones(2))
    yield Parser(
        "outputs", "uploads/7.npz", [kept.getvalue()], lambda p: outputs_of(p.parents[1], 7)
    )


def _runs(folder: Path) -> Iterator[Parser]:
    run = folder / "run"
    if not run.exists():
        play(SMALL, run)

    def reported(here: Path) -> object:
        return json.dumps(records(summarise(RunDirectory.open_whole(here))), allow_nan=False)

    def with_rest(name: str) -> Callable[[Path], object]:
        def read(path: Path) -> object:
            here = path.parents[name.count("/")]
            with _linked(run, here, name):
                return reported(here)

        return read

    manifest = (run / "run.json").read_bytes()
    yield Parser("manifest", "run.json", [manifest], with_rest("run.json"), named=False)
    for table in TABLES:
        name = f"{table}/000000.parquet"
        if (run / name).exists():
            good = [(run / name).read_bytes()]
            yield Parser(f"ledger {table}", name, good, with_rest(name), named=False)
    tree = {"a": np.arange(5), "b": [{"~": "tuple", "of": [1, "x"]}], "c": np.ones((2, 3))}
    write_checkpoint(folder, tree)
    good = [(folder / NAME).read_bytes()]
    yield Parser("checkpoint", NAME, good, lambda path: read_checkpoint(path.parent))
    facts = {
        "name": "s",
        "keys": ["model.dim"],
        "runs": [{"folder": "a", "seed": 1, "changes": {}}],
    }
    yield Parser("sweep.json", "sweep.json", [json.dumps(facts).encode()], _swept, named=False)


def _swept(path: Path) -> object:
    found = SweepDirectory.at(path.parent)
    return None if found is None else (found.facts(), found.varied())


@contextmanager
def _linked(run: Path, here: Path, name: str) -> Iterator[None]:
    """Have all of *run* but *name* be in *here* for the block."""
    made = []
    for path in sorted(run.rglob("*")):
        part = path.relative_to(run)
        if path.is_file() and str(part) != name:
            (here / part).parent.mkdir(parents=True, exist_ok=True)
            if not (here / part).exists():
                os.link(path, here / part)
                made.append(here / part)
    try:
        yield
    finally:
        for path in made:
            path.unlink()


def _packages(folder: Path) -> Iterator[Parser]:
    keys, one, two = Keys.make(folder / "keys"), versioned(1), versioned(2)
    pack(two, keys.sign(two), folder / "two.pkg")
    pack(two, keys.sign(two), folder / "patch.pkg", variants=["int8"], base=one.part("int8"))
    good = [(folder / name).read_bytes() for name in ("two.pkg", "patch.pkg")]

    def taken(path: Path) -> object:
        return receive(path, Trust(path.parent / "trust", keys.root), base=one.part("int8"))

    yield Parser("package file", "x.pkg", good, taken)
    two.save(folder / "unpacked")
    unpacked = next(path for path in folder.rglob("manifest.json")).parent
    for name in ("manifest.json", "golden/user.npy"):

        def loaded(path: Path, name: str = name) -> object:
            here = path.parents[name.count("/")]
            with _linked(unpacked, here, name):
                return Package.load(here)

        yield Parser(f"package {name}", name, [(unpacked / name).read_bytes()], loaded, named=False)
    old, new = one.model("int8"), two.model("int8")
    for way, patch in deltas(old, new).items():

        def applied(path: Path, way: str = way) -> object:
            return restored(way, path.read_bytes(), old, len(new), str(path))

        yield Parser(f"patch {way}", "x.patch", [patch], applied)
