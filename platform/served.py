"""A process that does one job after the other for the one that started it, and ends with it."""

import _thread
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

_GRACE_S = 2.0
"""What is under way has this long to end when whoever started this process is gone."""


def serve(work: Callable[[Any], Any], idle_s: float | None = None) -> None:
    """Call *work* with each line of standard input; its result is a line of standard output.

    Both are JSON. Whoever started this process keeps its input open: when that one is gone, however
    it ended, the input ends, and so does this, whatever is under way. An exception of *work* ends
    it too. Returns where no job came for *idle_s*.
    """
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whoever prints is no answer
    jobs: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=(jobs,), daemon=True).start()
    while True:
        try:
            job = jobs.get(timeout=idle_s)
        except queue.Empty:
            return
        print(json.dumps(work(json.loads(job))), file=answers, flush=True)


def _read(jobs: queue.Queue[str]) -> None:
    for line in sys.stdin:
        jobs.put(line)
    if callable(signal.getsignal(signal.SIGTERM)):  # contexts may still remove their folders
        _thread.interrupt_main(signal.SIGTERM)
        time.sleep(_GRACE_S)
    os._exit(1)
