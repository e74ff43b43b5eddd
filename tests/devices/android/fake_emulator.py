"""Run as the ``emulator`` of an SDK: a console on the port it is given, until it is told to end.

``FAKE_EMULATOR`` in its environment makes it ``die`` at once, or be ``deaf`` to everything but
SIGKILL. It writes its arguments, environment and process to ``$FAKE_EMULATOR_LOG``.
"""

import json
import os
import runpy
import signal
import sys
import time
from pathlib import Path


def main() -> int:
    port = int(sys.argv[sys.argv.index("-port") + 1])
    behaviour = os.environ.get("FAKE_EMULATOR")
    facts = {"argv": sys.argv[1:], "adb": os.environ.get("ANDROID_ADB_SERVER_PORT")}
    with open(os.environ["FAKE_EMULATOR_LOG"], "a") as log:
        log.write(json.dumps(facts | {"pid": os.getpid()}) + "\n")
    if behaviour == "die" or "Broken_AVD" in sys.argv:
        print("PANIC: cannot find AVD system path")
        return 7
    if behaviour == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)
    fake = runpy.run_path(str(Path(__file__).with_name("fake_console.py")))["FakeConsole"]
    with fake(token="", port=port) as console:
        console.killed.wait(60)
    return 0


if __name__ == "__main__":
    sys.exit(main())
