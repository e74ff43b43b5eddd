"""What the command line returns depends on the class of the error alone."""

import signal

import pytest

import droidloop.devices.android.errors as android
from droidloop.platform import errors
from droidloop.platform.engine import Engine, Process
from droidloop.platform.stopping import StoppedError


@pytest.mark.parametrize("name", ["UsageError", "ScenarioError", "DataError"])
def test_wrong_use_ends_with_2(name: str) -> None:
    assert getattr(errors, name)("x").exit_code == 2


@pytest.mark.parametrize("name", ["DroidloopError", "LedgerError", "PackageError", "DeviceError"])
def test_failure_ends_with_1(name: str) -> None:
    error = getattr(errors, name)("x")
    assert error.exit_code == 1
    assert isinstance(error, errors.DroidloopError)


def every_error(kind: type[errors.DroidloopError]) -> list[type[errors.DroidloopError]]:
    """Return *kind* and all that derive from it."""
    return [kind, *(one for below in kind.__subclasses__() for one in every_error(below))]


def failing(engine: Engine, error: Exception) -> Process:
    yield engine.until(1)
    raise error


def test_an_error_within_a_process_comes_out_as_it_is() -> None:
    """SimPy raises another of its kind, made of its arguments."""
    kinds = [one for one in every_error(android.AndroidError) if one is not android.CommandError]
    made: list[errors.DroidloopError] = [
        android.CommandError("a", "failed", 7),
        android.ParseError("df", "no size", "text"),
        StoppedError("ended", signal.SIGTERM),
        errors.LedgerError("x: damaged"),
        *(kind("a", "gone") for kind in kinds),
    ]
    assert len(made) > 15
    for error in made:
        engine = Engine()
        process = engine.process(failing(engine, error))
        with pytest.raises(type(error)) as caught:
            engine.run(process)
        assert str(caught.value) == str(error)
