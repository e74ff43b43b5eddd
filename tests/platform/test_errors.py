"""What the command line returns depends on the class of the error alone."""

import pytest

from droidloop.platform import errors


@pytest.mark.parametrize("name", ["UsageError", "ScenarioError", "DataError"])
def test_wrong_use_ends_with_2(name: str) -> None:
    assert getattr(errors, name)("x").exit_code == 2


@pytest.mark.parametrize("name", ["DroidloopError", "LedgerError", "PackageError", "DeviceError"])
def test_failure_ends_with_1(name: str) -> None:
    error = getattr(errors, name)("x")
    assert error.exit_code == 1
    assert isinstance(error, errors.DroidloopError)
