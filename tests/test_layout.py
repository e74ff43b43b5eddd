"""The five folders are one package, hide nothing of Python's, and import one way."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import droidloop

ROOT = Path(__file__).parents[1]
PACKAGE = Path(droidloop.__file__).parent

# What each part may import of the others.
MAY_IMPORT = {
    "platform": set[str](),
    "network": {"platform"},
    "models": {"platform"},
    "devices": {"platform", "network", "models"},
    "scenarios": {"platform", "network", "models", "devices"},
}
# What each room of a part may import of the other rooms of its part: lower ones alone, no circle.
_PHYSICS = ("phone", "population", "fleets")
_GROUND = (
    "numerics",
    "data",
    "interfaces",
    "packages",
    "evaluation",
    "graphs",
    "tables",
    "metrics",
)
_MODEL = (*_GROUND, "recommenders", "local", "fitting", "learning")
_ADB = ("android/errors", "android/parsers", "android/adb")
ROOMS: dict[str, dict[str, set[str]]] = {
    "models": {
        "numerics": set(),
        "data": {"numerics"},
        "interfaces": {"numerics", "data"},
        "packages": {"interfaces"},
        "updates": {"packages"},
        "metrics": {"data", "interfaces"},
        "evaluation": {"data", "interfaces", "metrics"},
        "graphs": {"data"},
        "tables": {"numerics", "interfaces", "packages"},
        "recommenders": set(_GROUND),
        "local": {*_GROUND, "recommenders"},
        "fitting": {*_GROUND, "recommenders", "local"},
        "learning": {*_GROUND, "recommenders", "local"},
        "federated": set(_MODEL),
        "peer": set(_MODEL),
        "tuning": {*_MODEL, "peer"},
        "transforms": {*_GROUND, "federated"},
        "patches": {"packages", "tables", "updates"},
        "senders": set(_GROUND),
        "unlearning": {*_MODEL, "federated"},
    },
    "devices": {
        "phone": set(),
        "population": {"phone"},
        "fleets": {"phone", "population"},
        "android/errors": set(),
        "android/parsers": {"android/errors"},
        "android/adb": {"android/errors", "android/parsers"},
        "android/emulator": set(_ADB),
        "android/conditions": {"phone", "population", *_ADB, "android/emulator"},
        "android/runners": {"fleets", "android/errors", "android/parsers"},
        "android/fleet": {
            *(*_PHYSICS, *_ADB, "android/emulator", "android/conditions", "android/runners")
        },
        "installing": {"fleets", *_ADB, "android/emulator", "android/runners", "android/fleet"},
        "android/probing": {
            *(*_PHYSICS, *_ADB, "android/conditions", "android/runners", "android/fleet")
        },
    },
    "scenarios": {
        "schema": set(),
        "catalogue": {"schema"},
        "runtime": {"schema"},
        "policies": {"schema", "runtime"},
        "trackers": {"runtime"},
        "faults": {"schema"},
        "protocols": {"schema", "runtime"},
        "delivery": {"schema", "runtime"},
        "reports": {"schema"},
        "run": {"schema", "runtime", "protocols", "delivery", "reports"},
        "sweep": {"schema", "runtime", "run", "reports"},
        "pages": {"schema", "run", "reports"},
        "front": {"schema", "catalogue", "runtime", "run", "reports", "sweep", "pages"},
        "cli": {"schema", "catalogue", "run", "reports", "pages", "front", "delivery"},
    },
}
PARTS = sorted(MAY_IMPORT)
SOURCES = sorted(path for part in PARTS for path in (PACKAGE / part).rglob("*.py"))

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 70
MAX_PARAMETERS = 10

in_checkout = pytest.mark.skipif(
    not (ROOT / "platform").is_dir(), reason="an sdist ships droidloop/ as plain folders"
)


def names(paths: list[Path]) -> list[str]:
    return [path.relative_to(PACKAGE).as_posix() for path in paths]


@in_checkout
@pytest.mark.parametrize("part", PARTS)
def test_each_folder_is_linked_into_the_package(part: str) -> None:
    link = ROOT / "droidloop" / part
    assert link.is_symlink(), f"{link} is no link: clone with core.symlinks=true"
    assert link.readlink() == Path("..", part)


@pytest.mark.parametrize("part", PARTS)
def test_no_folder_is_a_regular_package(part: str) -> None:
    assert not (PACKAGE / part / "__init__.py").exists()


def test_no_folder_of_tests_is_a_regular_package() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


@pytest.mark.parametrize(
    "argv",
    [["-c", "import platform; platform.system()"], ["-m", "pytest", "--version"]],
    ids=["platform", "pytest"],
)
def test_python_finds_its_own_platform_from_the_root(argv: list[str]) -> None:
    done = subprocess.run([sys.executable, *argv], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (level, dotted name) of every import; level 0 is absolute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "droidloop":
            yield from ((0, f"droidloop.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or ""


def wrong_imports(source: str, name: str) -> list[str]:
    """Return what is wrong with the imports of the file droidloop/*name*."""
    part, *deeper = name.split("/")
    folder = ".".join(["droidloop", part, *deeper[:-1], ""])
    wrong = []
    for level, imported in imports(ast.parse(source)):
        top, _, rest = imported.partition(".")
        other = rest.partition(".")[0]
        if level > len(deeper):
            wrong.append(f"{'.' * level}{imported} leaves the part; name it in full")
        elif level == 0 and top in MAY_IMPORT and top != "platform":
            wrong.append(f"{imported} would be a second copy of droidloop.{imported}")
        elif level == 0 and imported.startswith(folder):
            wrong.append(f"{imported} is a sibling; import it relatively")
        elif level == 0 and top == "droidloop" and other in set(PARTS) - MAY_IMPORT[part] - {part}:
            wrong.append(f"{part} must not know {imported}")
    return wrong


@pytest.mark.parametrize("name", names(SOURCES))
def test_imports_run_one_way(name: str) -> None:
    assert wrong_imports((PACKAGE / name).read_text(), name) == []


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("from droidloop.devices.phone import X", "models must not know"),
        ("from droidloop import network", "models must not know"),
        ("import droidloop.network.radio", "models must not know"),
        ("from droidloop.models.y import X", "import it relatively"),
        ("from models.y import X", "second copy"),
        ("from ..platform.draws import Draws", "leaves the part"),
        ("def f():\n    from droidloop.scenarios.cli.main import main", "models must not know"),
    ],
)
def test_the_import_guard_sees_each_wrong_way(statement: str, complaint: str) -> None:
    [wrong] = wrong_imports(statement, "models/x.py")
    assert complaint in wrong


def test_the_import_guard_lets_the_right_ways_pass() -> None:
    source = "import platform\nfrom .y import X\nfrom droidloop.platform.draws import Draws"
    assert wrong_imports(source, "models/x.py") == []
    assert wrong_imports("from droidloop.models.y import X", "models/deeper/x.py") == []


def room_of(module: str) -> str:
    """Return the room of *module*, a dotted name below its part: ``android/adb`` or ``data``."""
    first, *rest = module.split(".")
    return "/".join([first, *rest[:1]]) if first == "android" else first


def wrong_rooms(source: str, name: str) -> list[str]:
    """Return what the file droidloop/*name* imports from rooms that it must not know."""
    part, *deeper = name.removesuffix(".py").split("/")
    room = room_of(".".join(deeper))
    wrong = []
    for level, imported in imports(ast.parse(source)):
        if level == 0 and imported.startswith(f"droidloop.{part}."):
            other = room_of(imported.removeprefix(f"droidloop.{part}."))
            if other not in {room, *ROOMS[part][room]}:
                wrong.append(f"{room} must not know {other}: {imported}")
    return wrong


@pytest.mark.parametrize("name", [name for name in names(SOURCES) if name.split("/")[0] in ROOMS])
def test_imports_among_rooms_run_one_way(name: str) -> None:
    assert wrong_rooms((PACKAGE / name).read_text(), name) == []


@pytest.mark.parametrize("part", ROOMS)
def test_no_rooms_form_a_circle(part: str) -> None:
    left = {room: set(below) for room, below in ROOMS[part].items()}
    while left:
        free = {room for room, below in left.items() if not below & left.keys()}
        assert free, f"a circle among {sorted(left)}"
        left = {room: below for room, below in left.items() if room not in free}


def test_the_guard_of_rooms_sees_a_wrong_way() -> None:
    statement = "from droidloop.models.peer.dclr import DCLR"
    [wrong] = wrong_rooms(statement, "models/data/x.py")
    assert "data must not know peer" in wrong


def too_large(source: str) -> list[str]:
    """Return which functions of a file, or the file itself, are too large."""
    length = len(source.splitlines())
    wrong = [f"{length} lines"] if length > MAX_FILE_LINES else []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > MAX_FUNCTION_LINES:
            wrong.append(f"{node.name} has {lines} lines")
        taken = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
        parameters = len([one for one in taken if one.arg not in ("self", "cls")])
        if parameters > MAX_PARAMETERS and not FREE & {word_of(d) for d in node.decorator_list}:
            wrong.append(f"{node.name} has {parameters} parameters")
    return wrong


# Kernels take arrays one by one.
FREE = {"kernel", "law", "part"}


def word_of(decorator: ast.expr) -> str:
    """Return the last word of the name of a decorator."""
    made = decorator.func if isinstance(decorator, ast.Call) else decorator
    return made.attr if isinstance(made, ast.Attribute) else ast.unparse(made)


@pytest.mark.parametrize("name", names(SOURCES))
def test_files_and_functions_stay_small(name: str) -> None:
    assert too_large((PACKAGE / name).read_text()) == []


TESTS = sorted((ROOT / "tests").rglob("*.py"))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_tests_stay_small(path: Path) -> None:
    assert too_large(path.read_text()) == []


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("\n" * 401, ["401 lines"]),
        ("def f():\n" + "    x = 1\n" * 70, ["f has 71 lines"]),
        ("def f(a, b, c, d, e, /, g, h, i, *, j, k, m): ...", ["f has 11 parameters"]),
        ("class A:\n def f(self, a, b, c, d, e, g, h, i, j, k): ...", []),
        ("@kernel(inline='always')\ndef f(a, b, c, d, e, g, h, i, j, k, m): ...", []),
    ],
)
def test_the_guard_of_sizes_sees_what_is_too_large(source: str, wrong: list[str]) -> None:
    assert too_large(source) == wrong


@pytest.mark.parametrize("name", names(SOURCES))
def test_kernels_are_compiled_by_our_own_decorators(name: str) -> None:
    """numba's keep what is out of date, and miss what they call: see platform/kernel_cache.py."""
    tree = ast.parse((PACKAGE / name).read_text())
    taken = [
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "numba"
        for alias in node.names
    ]
    assert not {"njit", "jit", "vectorize", "guvectorize", "cfunc"} & set(taken)


# Where packages come from and where a checkout lies is told to pip, apt and make, never written
# down: it differs from machine to machine. /home/me and /home/you are nobody's and may be shown.
ELSEWHERE = re.compile(
    r"pypi\.org|pythonhosted\.org|download\.pytorch\.org|deb\.debian\.org|--(?:extra-)?index-url"
    r"|(?<![\w.}~-])/(?:root|work|(?:home|Users)(?!/(?:me|you)/))/\w"
)


def texts() -> list[Path]:
    """Return the text files of the checkout that git does not ignore."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    kinds = {".py", ".md", ".toml", ".txt", ".sh", ".yml", ".cfg", ""}
    return [path for path in paths if path.suffix in kinds and path.is_file()]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a git checkout")
def test_no_file_names_a_registry_or_a_place_on_one_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in texts()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if path != Path(__file__) and ELSEWHERE.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("pip install --index-url https://mirror", True),
        ("https://files.pythonhosted.org/packages", True),
        ("open('/home/somebody/data')", True),
        ("'/home/me/.token'", False),
        ("adb push model.tflite /data/local/tmp", False),
        ("see docs/home/page and ../work/shared", False),
    ],
)
def test_the_place_guard_tells_places_from_paths(line: str, named: bool) -> None:
    assert bool(ELSEWHERE.search(line)) == named
