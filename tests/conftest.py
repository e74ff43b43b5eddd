"""What every test may ask for."""

import signal
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# The first call of a kernel compiles it, which no deadline allows for; examples are the same in
# every run, so that a failure can be repeated.
hypothesis.settings.register_profile("droidloop", deadline=None, derandomize=True)
hypothesis.settings.load_profile("droidloop")

SHARED = Path(__file__).parents[2] / "shared"


FIRST = ("tests/phone", "README.md", "docs/", "tests/scenarios/sweep", "tests/scenarios/cli")
"""Groups that take minutes: whoever begins with one at the end keeps the others waiting."""


def pytest_configure() -> None:
    """Hear Ctrl-C as in a terminal: shells start what they put into the background without it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def group_of(nodeid: str) -> str:
    """Return with what a test shares its process: its file, its document, or the phones."""
    file, _, name = nodeid.partition("::")
    folder = file.rpartition("/")[0]
    if folder == "tests/phone":
        return folder
    if file == "tests/test_docs.py" and "[" in name and ":" in name:
        return name.partition("[")[2].partition(":")[0]
    return file


@pytest.hookimpl(optionalhook=True)  # known only where several processes may share the tests
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Have processes share the work by groups: what tests of a group share is made once."""
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):  # type: ignore[misc]  # a base without types
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    config.option.loadscopereorder = False
    return ByGroup(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put those first that take long."""

    def rank(item: pytest.Item) -> int:
        group = group_of(item.nodeid)
        return next((n for n, start in enumerate(FIRST) if group.startswith(start)), len(FIRST))

    items.sort(key=rank)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the checkout; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the data folder {SHARED.name}/ beside the checkout")
    return SHARED
