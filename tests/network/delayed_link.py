"""Files over a link that is shaped and delayed: run by test_delayed_link.py.

Two network namespaces, each with a virtual interface (tun) whose packets this program carries over
to the other side, each way half a round trip later. The far side serves files behind a token bucket
that takes on the rate of each second (shaped_link.py). Asks on stdin, as JSON: ``rates`` (bytes/s
on the wire, one a second), ``sizes`` (bytes of each file) and ``delay_s`` (one way). Answers on
stdout: when each fetch began, in seconds of the rates, and its length.
"""

import fcntl
import json
import os
import queue
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

from .shaped_link import FAR, NEAR, PORT, bucket, fetch, run, serve, shape

MODULE = "tests.network.delayed_link"
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x1, 0x1000


def tunnel(name: str, address: str) -> int:
    """Return the file of a new virtual interface, which is up."""
    file = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    # what one connection learned of the path must not help the next
    Path("/proc/sys/net/ipv4/tcp_no_metrics_save").write_text("1")
    run("ip", "address", "add", f"{address}/30", "dev", name)
    run("ip", "link", "set", name, "up")
    return file


def carry(file: int, other: socket.socket, delay_s: float) -> None:
    """Send the interface's packets to *other*; let theirs in *delay_s* after they came."""
    late: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()

    def leave() -> None:
        while True:
            other.send(os.read(file, 2000))

    def arrive() -> None:
        while True:
            late.put((time.monotonic() + delay_s, other.recv(2000)))

    def deliver() -> None:
        while True:
            due, packet = late.get()
            time.sleep(max(0.0, due - time.monotonic()))
            os.write(file, packet)

    for work in (leave, arrive, deliver):
        threading.Thread(target=work, daemon=True).start()


def far(other: socket.socket) -> None:
    """Set up the far end, then serve until stdin is closed."""
    asked = json.loads(sys.stdin.readline())
    carry(tunnel("far", FAR), other, asked["delay_s"])
    run("tc", "qdisc", "add", *bucket(asked["rates"][0]).split())
    listener = socket.create_server((FAR, PORT))
    start = time.monotonic()
    threading.Thread(target=shape, args=(asked["rates"], start), daemon=True).start()
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    print(start, flush=True)
    sys.stdin.read()


def near() -> None:
    """Join the two namespaces, fetch the files and print when each was on its way."""
    asked = json.loads(sys.stdin.readline())
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    number = str(theirs.fileno())
    command = ["unshare", "--net", "--kill-child", sys.executable, "-m", MODULE, "far", number]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=[theirs.fileno()],
    ) as end:
        assert end.stdin is not None
        assert end.stdout is not None
        carry(tunnel("near", NEAR), ours, asked["delay_s"])
        end.stdin.write(json.dumps(asked) + "\n")
        end.stdin.flush()
        start = float(end.stdout.readline())
        fetched = [fetch(nbytes) for nbytes in asked["sizes"]]
        print(json.dumps([(a - start, b - a) for a, b in fetched]))
        end.stdin.close()


if __name__ == "__main__":
    far(socket.socket(fileno=int(sys.argv[2]))) if sys.argv[1:2] == ["far"] else near()
