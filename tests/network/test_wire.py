"""What messages are on a link: never less than themselves, and how much more."""

import numpy as np
import pytest

from droidloop.network.wire import HANDSHAKE_BYTES, stream_bytes, wire_bytes


@pytest.mark.parametrize(
    ("nbytes", "on_the_link"),
    [
        (0, 0),
        (1, 1 + 22 + 2 * 52),
        (1426, 1448 + 2 * 52),  # one full segment and its acknowledgement
        (1427, 1449 + 3 * 52),
        (16_384, 16_406 + (12 + 6) * 52),
        (16_385, 16_385 + 2 * 22 + (12 + 6) * 52),
    ],
)
def test_a_message_is_cut_into_records_and_segments_of_which_every_second_is_acknowledged(
    nbytes: int, on_the_link: int
) -> None:
    assert stream_bytes(np.array([nbytes]))[0] == on_the_link


def test_large_messages_take_5_and_a_half_percent_more() -> None:
    assert stream_bytes(np.array([10**8]))[0] / 10**8 == pytest.approx(1.0553, abs=0.0005)


def test_a_connection_takes_one_handshake_and_none_where_nothing_is_sent() -> None:
    down, up = wire_bytes(np.array([0, 1000, 0, 1000]), np.array([0, 0, 1000, 1000]))
    assert down.tolist() == [0, 1126 + HANDSHAKE_BYTES, 0, 1126 + HANDSHAKE_BYTES]
    assert up.tolist() == [0, 0, 1126 + HANDSHAKE_BYTES, 1126]
    assert 5000 < HANDSHAKE_BYTES < 6500
