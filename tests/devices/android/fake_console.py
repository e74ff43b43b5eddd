"""An emulator's console in this process, after the grammar of the emulator's source."""

import socketserver
import threading
from types import TracebackType
from typing import Self

HELP = "Android Console: type 'help' for a list of commands\r\n"
SPEEDS = {"umts": ("128", "1920"), "full": ("0", "0"), "lte": ("58000", "173000")}
STATUSES = {
    "unknown": "Unknown",
    "charging": "Charging",
    "discharging": "Discharging",
    "not-charging": "Not charging",
    "full": "Full",
}


class FakeConsole:
    """The console; its fields are the state of the emulator.

    Attributes:
        token: the secret; empty for none.
        fault: ``deaf`` (commands change nothing), ``hang``, ``close``, ``endless``.
    """

    def __init__(self, token: str = "s3cret", port: int = 0) -> None:
        self.token = token
        self.up_bps = self.down_bps = 0
        self.delay = (0, 0)
        self.power = {"AC": "online", "status": "Charging", "capacity": "50"}
        self.data = "home"
        self.fault: str | None = None
        self.commands: list[str] = []
        self.killed = threading.Event()
        fake = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                fake.talk(self)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False
            allow_reuse_address = True

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that goes away is no news."""

        self._server = Server(("127.0.0.1", port), Handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def talk(self, stream: socketserver.StreamRequestHandler) -> None:
        """Serve one session."""

        def say(text: str) -> None:
            stream.wfile.write(text.encode())

        trusted = not self.token
        say(HELP + "OK\r\n" if trusted else self.greeting())
        while line := stream.rfile.readline():
            command = line.decode().replace("\r", "").rstrip("\n")
            self.commands.append(command)
            if not trusted:
                trusted = command == f"auth {self.token}"
                if command.startswith("auth ") and not trusted:
                    say(f"KO: authentication token '{command[5:]}' does not match\r\n")
                else:
                    say(HELP + "OK\r\n" if trusted else "KO: unknown command, try 'help'\r\n")
            elif self.fault == "close":
                return
            elif self.fault == "endless":
                say("x" * 600_000)
            elif self.fault != "hang":
                say(self.answer(command.split()))
            if command == "kill" and trusted:
                self.killed.set()
                return

    def greeting(self) -> str:
        return (
            "Android Console: Authentication required\r\n"
            "Android Console: type 'auth <auth_token>' to authenticate\r\n"
            "Android Console: you can find your <auth_token> in \r\n'/etc/passwd'\r\nOK\r\n"
        )

    def answer(self, words: list[str]) -> str:
        match words:
            case ["ping"]:
                return "I am alive!\r\nOK\r\n"
            case ["kill"]:
                return "OK: killing emulator, bye bye\r\n"
            case ["network", *rest]:
                return self.network(rest)
            case ["power", *rest]:
                return self.set_power(rest)
            case ["gsm", "status"]:
                return f"gsm voice state: home\r\ngsm data state:  {self.data}\r\nOK\r\n"
            case ["gsm", "data", state]:
                self.data = self.data if self.fault == "deaf" else state
                return "OK\r\n"
            case ["avd", "name"]:
                return "Test_AVD\r\nOK\r\n"
        return "KO: unknown command, try 'help'\r\n"

    def network(self, words: list[str]) -> str:
        match words:
            case ["status"]:
                return (
                    "Current network status:\r\n"
                    f"  download speed:   {self.down_bps:8d} bits/s"
                    f" ({self.down_bps / 8192:.1f} KB/s)\r\n"
                    f"  upload speed:     {self.up_bps:8d} bits/s"
                    f" ({self.up_bps / 8192:.1f} KB/s)\r\n"
                    f"  minimum latency:  {self.delay[0]} ms\r\n"
                    f"  maximum latency:  {self.delay[1]} ms\r\nOK\r\n"
                )
            case ["speed", speed]:
                up, _, down = speed.partition(":")
                up, down = SPEEDS.get(speed, (up, down or up))
                if self.fault != "deaf":
                    self.up_bps, self.down_bps = int(float(up) * 1000), int(float(down) * 1000)
                return "OK\r\n"
            case ["delay", delay]:
                low, _, high = delay.partition(":")
                if self.fault != "deaf":
                    self.delay = (int(low), int(high or low))
                return "OK\r\n"
        return "allows you to manage network settings\r\nKO:  bad sub-command\r\n"

    def set_power(self, words: list[str]) -> str:
        known = self.fault != "deaf"
        match words:
            case ["display"]:
                state = self.power | {"health": "Good", "present": "true"}
                return "".join(f"{key}: {value}\r\n" for key, value in state.items()) + "OK\r\n"
            case ["capacity", number] if number.isdigit() and int(number) <= 100:
                self.power |= {"capacity": number} if known else {}
            case ["ac", ("on" | "off") as state]:
                self.power |= {"AC": "online" if state == "on" else "offline"} if known else {}
            case ["status", name] if name in STATUSES:
                self.power |= {"status": STATUSES[name]} if known else {}
            case [verb, *_]:
                return f'KO: Usage: "{verb} ..."\n'
        return "OK\r\n"
