"""Nothing of ours runs what a file or a device says: no pickle, no eval, no shell, no odd loaders.

The few that there are stand here with their reason, and docs/threats.md says what follows of them.
"""

import ast
from pathlib import Path

import pytest

import droidloop

PACKAGE = Path(droidloop.__file__).parent
SOURCES = sorted(
    path.relative_to(PACKAGE).as_posix()
    for folder in PACKAGE.iterdir()  # each may be a link, which a walk does not follow
    for path in (folder.rglob("*.py") if folder.is_dir() else [folder])
    if path.suffix == ".py"
)

PICKLES = {
    "platform/kernel_cache.py",  # what numba compiled, beside the code, as Python keeps a .pyc
    "platform/cluster.py",  # to and from processes of a Ray cluster, whose port is trusted
}
MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "yaml", "xml", "telnetlib"}
CALLS = {"eval", "exec", "compile", "__import__", "system", "popen", "getoutput", "execute_script"}
OWN = {("scenarios/pages/page.py", "compile")}
"""Names that stand for something else there."""
SAFE = {"np.load": ("allow_pickle", False), "torch.load": ("weights_only", True)}


def dangers(source: str, name: str) -> list[str]:
    """Return what is dangerous in the file *name*."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            first = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
            level = node.level if isinstance(node, ast.ImportFrom) else 0
            module = (first or "").partition(".")[0]
            if level == 0 and module in MODULES and name not in PICKLES:
                found.append(f"line {node.lineno}: imports {module}")
        if isinstance(node, ast.Call):
            found += _call(node, name)
    return found


def _call(node: ast.Call, name: str) -> list[str]:
    whole = ast.unparse(node.func)
    words = {one.arg: one.value for one in node.keywords}
    shell = words.get("shell")
    if shell is not None and not (isinstance(shell, ast.Constant) and shell.value is False):
        return [f"line {node.lineno}: a shell reads what {whole} is given"]
    bare = isinstance(node.func, ast.Name) or whole.startswith(("os.", "subprocess.", "builtins."))
    last = whole.rpartition(".")[2]
    if bare and last in CALLS and (name, last) not in OWN:
        return [f"line {node.lineno}: calls {whole}"]
    if whole in SAFE:
        key, wanted = SAFE[whole]
        value = words.get(key)
        if not (isinstance(value, ast.Constant) and value.value is wanted):
            return [f"line {node.lineno}: {whole} without {key}={wanted}"]
    return []


@pytest.mark.parametrize("name", SOURCES)
def test_no_file_runs_what_it_reads(name: str) -> None:
    assert dangers((PACKAGE / name).read_text(), name) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from marshal import loads",
        "eval('1')",
        "exec(text)",
        "os.system('ls')",
        "subprocess.run('ls', shell=True)",
        "subprocess.getoutput('ls')",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "torch.load(path)",
    ],
)
def test_the_guard_sees_each_danger(source: str) -> None:
    assert len(dangers(source, "models/x.py")) == 1


def test_all_files_are_looked_at() -> None:
    assert len(SOURCES) > 300


def test_the_guard_lets_what_is_safe_pass() -> None:
    safe = "import json\nre.compile('x')\nnp.load(p, allow_pickle=False)\nmodel.eval()"
    assert dangers(safe, "models/x.py") == []
