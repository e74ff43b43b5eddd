"""Files over a link that ``tc`` shapes, second by second: run by test_shaped_link.py.

Two network namespaces of this program's own, joined by a pair of virtual interfaces. The far side
serves files; a token bucket on its interface takes on the rate of each second. Asks on stdin, as
JSON: ``rates`` (bytes/s on the wire, one a second) and ``sizes`` (bytes of each file, fetched one
after the other). Answers on stdout: when each fetch began, in seconds of the rates, and its length.
"""

import json
import socket
import subprocess
import sys
import threading
import time

NEAR, FAR = "10.83.0.1", "10.83.0.2"
PORT = 8083
BURST_BYTES = 1540
QUEUE_BYTES = 100_000
SILENT = "1kbit"  # a token bucket cannot be shut


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


def bucket(rate: int) -> str:
    words = f"rate {8 * rate}bit" if rate > 1000 else f"rate {SILENT}"
    return f"dev far root handle 1: tbf {words} burst {BURST_BYTES} limit {QUEUE_BYTES}"


def shape(rates: list[int], start: float) -> None:
    """Give the bucket the rate of each second from *start* on, in a loop."""
    knock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with subprocess.Popen(["tc", "-batch", "-"], stdin=subprocess.PIPE, text=True) as tc:
        assert tc.stdin is not None
        second, last = 0, rates[0]
        while True:
            second += 1
            time.sleep(max(0.0, start + second - time.monotonic()))
            rate = rates[second % len(rates)]
            if rate != last:
                tc.stdin.write(f"qdisc change {bucket(rate)}\n")
                tc.stdin.flush()
                # a bucket that waits for a token of the old rate looks at the new one when a
                # packet comes
                knock.sendto(b".", (NEAR, 9))
            last = rate


def serve(listener: socket.socket) -> None:
    """Send as many bytes as each caller asks for."""
    while True:
        caller, _ = listener.accept()
        with caller:
            caller.sendall(bytes(int(caller.recv(64))))


def far() -> None:
    """Set up the far end when told to, then serve until stdin is closed."""
    rates = json.loads(sys.stdin.readline())
    run("ip", "address", "add", f"{FAR}/30", "dev", "far")
    run("ip", "link", "set", "far", "up")
    run("tc", "qdisc", "add", *bucket(rates[0]).split())
    listener = socket.create_server((FAR, PORT))
    start = time.monotonic()
    threading.Thread(target=shape, args=(rates, start), daemon=True).start()
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    print(start, flush=True)
    sys.stdin.read()


def fetch(nbytes: int) -> tuple[float, float]:
    """Fetch one file; return when that began and ended."""
    start = time.monotonic()
    with socket.create_connection((FAR, PORT)) as link:
        link.sendall(str(nbytes).encode())
        left = nbytes
        while left:
            left -= len(link.recv(65536))
    return start, time.monotonic()


def near() -> None:
    """Join the two namespaces, fetch the files and print when each was on its way."""
    asked = json.loads(sys.stdin.readline())
    command = ["unshare", "--net", "--kill-child", sys.executable, __file__, "far"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as end:
        assert end.stdin is not None
        assert end.stdout is not None
        time.sleep(0.2)
        run(
            "ip",
            "link",
            "add",
            "near",
            "type",
            "veth",
            "peer",
            "name",
            "far",
            "netns",
            str(end.pid),
        )
        run("ip", "address", "add", f"{NEAR}/30", "dev", "near")
        run("ip", "link", "set", "near", "up")
        end.stdin.write(json.dumps(asked["rates"]) + "\n")
        end.stdin.flush()
        start = float(end.stdout.readline())
        fetched = [fetch(nbytes) for nbytes in asked["sizes"]]
        print(json.dumps([(a - start, b - a) for a, b in fetched]))
        end.stdin.close()


if __name__ == "__main__":
    far() if sys.argv[1:] == ["far"] else near()
