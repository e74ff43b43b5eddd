"""What a phone's battery service, its radios and its settings answer."""

from dataclasses import dataclass, field

from .fake_adb import Answer, FakeDevice

NO_COMMAND = ("", "sh: not found\n", 127)


@dataclass
class FakePhone:
    """The state of a phone behind a ``FakeDevice``.

    Attributes:
        forbidden: commands that fail, by their first two words.
        deaf: commands that do nothing and say nothing, likewise.
        old: the phone has no ``cmd``, as before Android 7.
    """

    wifi: bool = True
    data: bool | None = True
    level: int = 88
    plugged: bool = True
    frozen: dict[str, str] | None = None
    forbidden: set[str] = field(default_factory=set)
    deaf: set[str] = field(default_factory=set)
    old: bool = False

    def device(self) -> FakeDevice:
        """Return a device that answers for this phone."""
        return FakeDevice(handler=self.answer)

    @property
    def untouched(self) -> bool:
        """Whether it is as it was made."""
        return self.wifi and self.data is not False and self.frozen is None

    def answer(self, argv: list[str]) -> Answer | None:
        start = " ".join(argv[:2])
        if start in self.forbidden:
            return "", "Security exception: not allowed\n", 255
        if start in self.deaf:
            return "", "", 0
        match argv:
            case ["cmd", "battery", *_] if self.old:
                return NO_COMMAND
            case ["dumpsys", "battery"]:
                return self.dump(), "", 0
            case [("cmd" | "dumpsys"), "battery", *words]:
                self.battery(words)
                return "", "", 0
            case ["svc", "wifi", word]:
                self.wifi = word == "enable"
                return "", "", 0
            case ["svc", "data", word]:
                self.data = word == "enable"
                return "", "", 0
            case ["settings", "get", "global", "wifi_on"]:
                return f"{int(self.wifi)}\n", "", 0
            case ["settings", "get", "global", "mobile_data"]:
                return "null\n" if self.data is None else f"{int(self.data)}\n", "", 0
        return None

    def battery(self, words: list[str]) -> None:
        match words:
            case ["unplug"]:
                self.frozen = {"level": str(self.level), "ac": "0", "status": "3"}
            case ["set", key, value]:
                self.frozen = (self.frozen or {}) | {key: value}
            case ["reset"]:
                self.frozen = None

    def dump(self) -> str:
        shown = {"level": str(self.level), "ac": str(int(self.plugged)), "status": "2"}
        shown |= self.frozen or {}
        stopped = "" if self.frozen is None else "  (UPDATES STOPPED -- use 'reset' to restart)\n"
        return (
            f"Current Battery Service state:\n{stopped}"
            f"  AC powered: {'true' if shown['ac'] == '1' else 'false'}\n  USB powered: false\n"
            f"  status: {shown['status']}\n  health: 2\n  present: true\n"
            f"  level: {shown['level']}\n  scale: 100\n  voltage: 4100\n  temperature: 250\n"
        )
