"""One isolated transfer as a list of states with their powers: what a plot draws, what it costs."""

from typing import NamedTuple

from droidloop.platform.units import between, reached

from .radio import active_uw
from .rrc import Radio


class Span(NamedTuple):
    """A state of the radio at constant power."""

    state: str
    start_us: int
    end_us: int
    power_uw: int

    @property
    def energy_uj(self) -> int:
        """What the state takes in all."""
        return int(between(self.power_uw, self.start_us, self.end_us))


def isolated(radio: Radio, nbytes: int, rate: int, *, up: bool = False) -> list[Span]:
    """Return the states of a transfer of *nbytes* at *rate* bytes/s that starts and ends in idle.

    The states are promotion, handshake, transfer, tail and tail2, without those that take no time.
    """
    law = radio.row()[0]
    handshake_us = int(law["rtt_us"] * law["handshakes"])
    powers = {
        "promotion": (int(law["promotion_us"]), int(law["promotion_uw"])),
        "handshake": (handshake_us, int(law["base_uw"])),
        "transfer": (-1, int(active_uw(law, rate, up))),
        "tail": (int(law["tail_us"]), int(law["tail_uw"])),
        "tail2": (int(law["tail2_us"]), int(law["tail2_uw"])),
    }
    spans, t_us = [], 0
    for state, (length_us, power_uw) in powers.items():
        end_us = t_us + length_us if length_us >= 0 else int(reached(rate, t_us, nbytes))
        if end_us > t_us:
            spans.append(Span(state, t_us, end_us, power_uw))
        t_us = end_us
    return spans


def energy_uj(spans: list[Span]) -> int:
    """Return what all *spans* take."""
    return sum(span.energy_uj for span in spans)
