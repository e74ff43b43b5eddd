import pytest

from droidloop.devices.android.errors import ParseError
from droidloop.devices.android.parsers.console_text import (
    Greeting,
    NetworkStatus,
    PowerDisplay,
    parse_greeting,
    parse_network_status,
    parse_power_display,
)

ASKS = (
    "Android Console: Authentication required\r\n"
    "Android Console: type 'auth <auth_token>' to authenticate\r\n"
    "Android Console: you can find your <auth_token> in \r\n'/home/me/.token'\r\nOK\r\n"
)
STATUS = (
    "Current network status:\r\n  download speed:    1920000 bits/s (234.4 KB/s)\r\n"
    "  upload speed:       128000 bits/s (15.6 KB/s)\r\n"
    "  minimum latency:  35 ms\r\n  maximum latency:  200 ms\r\n"
)
POWER = (
    "AC: offline\r\nstatus: Not charging\r\nhealth: Overhead\r\npresent: true\r\ncapacity: 12\r\n"
)


def test_greeting_tells_where_the_secret_lies() -> None:
    assert parse_greeting(ASKS) == Greeting(needs_auth=True, token_path="/home/me/.token")


def test_greeting_without_a_secret() -> None:
    text = "Android Console: type 'help' for a list of commands\r\nOK\r\n"
    assert parse_greeting(text) == Greeting(needs_auth=False, token_path=None)


def test_link_is_read_in_bits_per_second() -> None:
    assert parse_network_status(STATUS) == NetworkStatus(1_920_000, 128_000, 35, 200)


def test_battery_is_read_in_the_words_of_the_commands() -> None:
    assert parse_power_display(POWER) == PowerDisplay(
        ac=False, status="not-charging", health="overheat", present=True, capacity_percent=12
    )


def test_other_text_is_an_error() -> None:
    with pytest.raises(ParseError, match="greeting"):
        parse_greeting("SSH-2.0-OpenSSH\r\n")
    with pytest.raises(ParseError, match="no upload"):
        parse_network_status(STATUS.replace("upload", "up"))
    with pytest.raises(ParseError, match="no whole battery"):
        parse_power_display(POWER.replace("Not charging", "Sleeping"))
