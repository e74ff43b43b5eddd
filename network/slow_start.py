"""TCP's slow start: the first round trips of a connection, in which its window opens.

A connection may send ten segments at first (RFC 6928) and twice as much in each round trip (RFC
5681, section 3.1) until what it sends in one round fills the link. A round is a burst at the link's
rate, then silence until the first acknowledgement, one round trip after the burst began. Left out:
the end of slow start at a threshold or a loss, windows that are kept over an idle time, pacing.
"""

from droidloop.platform.law import law
from droidloop.platform.units import between, reached

INITIAL_WINDOW_BYTES = 10 * 1448
"""Ten segments as full as Ethernet lets them be, with time stamps (RFC 6928)."""


@law
def next_round(
    window: int, burst: int, round_us: int, rtt_us: int, t_us: int
) -> tuple[int, int, int]:
    """Return (window, burst, round_us) at *t_us*, which may be the end of a round.

    *burst* is what of the *window* has not yet gone, *round_us* when the round ends. A burst that
    is still under way then fills the link: the window is 0 from there on, and limits nothing.
    """
    if window == 0 or t_us < round_us:
        return window, burst, round_us
    if burst > 0:
        return 0, 0, round_us
    return 2 * window, 2 * window, round_us + rtt_us


@law
def finish_us(start_us: int, nbytes: int, rate: int, rtt_us: int, window: int) -> int:
    """Return when *nbytes* have gone at *rate* bytes/s, the first of them at *start_us*.

    A *window* of 0 stands for no slow start. This is what ``devices.play`` comes to where the rate
    stays: a loop over the logarithm of what the link holds.
    """
    t_us, left = start_us, nbytes
    while window > 0 and left > window:
        if between(rate, t_us, t_us + rtt_us) <= window:
            break
        left -= window
        t_us += rtt_us
        window *= 2
    return int(reached(rate, t_us, left))
