import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from droidloop.devices.android.adb.quoting import COMMAND_MAX, shell_command

WORDS = st.text(
    st.characters(codec="utf-8", exclude_characters="\0")
    | st.sampled_from("'\"`$\\;&|<>()[]{}*?!#~= \n\t-"),
    max_size=30,
)
HOSTILE = [
    "'; reboot; '",
    "$(reboot)",
    "`reboot`",
    "a\nreboot\n",
    "-rf",
    "~root",
    "*",
    "A=b",
    "\\",
    "'\"'\"'",
    "",
]


def as_the_shell_sees(argv: list[str]) -> list[str]:
    command = shell_command(["printf", "%s\\0", *argv])
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=True)
    return done.stdout.decode().split("\0")[:-1]


def test_hostile_words_reach_a_command_unchanged() -> None:
    assert as_the_shell_sees(HOSTILE) == HOSTILE


@settings(max_examples=40, deadline=None)
@given(argv=st.lists(WORDS, min_size=1, max_size=8))
def test_any_words_reach_a_command_unchanged(argv: list[str]) -> None:
    assert as_the_shell_sees(argv) == argv


@pytest.mark.parametrize("name", ["if", "A=b", "echo hi", "!"])
def test_first_word_is_a_command_and_nothing_else(name: str) -> None:
    done = subprocess.run(["sh", "-c", shell_command([name])], capture_output=True, check=False)
    assert done.returncode == 127


@pytest.mark.parametrize("argv", [[], [""], ["a", "b\0c"], ["a", "x" * COMMAND_MAX], ["\ud800"]])
def test_what_cannot_be_a_command_is_refused(argv: list[str]) -> None:
    with pytest.raises(ValueError, match=r"command|NUL|surrogates"):
        shell_command(argv)
