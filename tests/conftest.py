"""What every test may ask for."""

from pathlib import Path

import hypothesis
import pytest

# The first call of a kernel compiles it, which no deadline allows for; examples are the same in
# every run, so that a failure can be repeated.
hypothesis.settings.register_profile("droidloop", deadline=None, derandomize=True)
hypothesis.settings.load_profile("droidloop")

SHARED = Path(__file__).parents[2] / "shared"


@pytest.hookimpl(tryfirst=True)  # before xdist asks for the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have processes share the work file by file; those that share phones stay together."""
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            file = item.path.relative_to(config.rootpath)
            group = file.parent if file.parent.name == "phone" else file
            item.add_marker(pytest.mark.xdist_group(str(group)))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the checkout; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the data folder {SHARED.name}/ beside the checkout")
    return SHARED
