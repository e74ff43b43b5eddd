"""What crosses a link for a message: TLS and TCP/IP around its bytes, and the first handshakes.

One connection a job. Segments of 1,448 bytes with 52 bytes of headers (IPv4 20, TCP 20, timestamps
12: RFC 791, 9293, 7323, a link of 1,500 bytes); TLS 1.3 records of at most 16,384 bytes with 22
bytes each (RFC 8446: header 5, type 1, tag 16); every second segment is acknowledged (RFC 9293,
5681). The server's certificates are 4,022 bytes, a mean over Fastly's customers (McManus 2020, as
recalled), and a client says hello in 517 bytes (RFC 7685's padding). Left out: HTTP's headers,
DNS, resumed sessions, which send no certificates, and what lost packets cost (``network.loss``).
"""

from droidloop.platform.arrays import IntArray

HEADER_BYTES = 52
SEGMENT_BYTES = 1448
RECORD_BYTES = 16_384
RECORD_OVERHEAD_BYTES = 22
_SYN_BYTES = 60
_HELLO_BYTES, _FINISHED_BYTES = 517 + 5, 36 + RECORD_OVERHEAD_BYTES
_SERVER_BYTES = 122 + 5 + 4022 + 264 + 6 + 36 + 4 * RECORD_OVERHEAD_BYTES


_UP = _SYN_BYTES + _HELLO_BYTES + _FINISHED_BYTES + 3 * HEADER_BYTES
_DOWN = _SYN_BYTES + _SERVER_BYTES + HEADER_BYTES * -(-_SERVER_BYTES // SEGMENT_BYTES)
HANDSHAKE_BYTES = _UP + _DOWN


def stream_bytes(nbytes: IntArray) -> IntArray:
    """Return what *nbytes* of a message are as TLS records in TCP segments, acknowledged."""
    sent = nbytes + RECORD_OVERHEAD_BYTES * -(-nbytes // RECORD_BYTES)
    segments = -(-sent // SEGMENT_BYTES)
    total: IntArray = sent + HEADER_BYTES * (segments + -(-segments // 2))
    return total


def wire_bytes(down: IntArray, up: IntArray) -> tuple[IntArray, IntArray]:
    """Return what crosses the link for messages of *down* and *up* bytes; nothing for none.

    Handshake and acknowledgements go both ways; they are counted with the transfer that they
    belong to, the handshake with the first.
    """
    first_down, first_up = down > 0, (down == 0) & (up > 0)
    return (
        stream_bytes(down) + HANDSHAKE_BYTES * first_down,
        stream_bytes(up) + HANDSHAKE_BYTES * first_up,
    )
