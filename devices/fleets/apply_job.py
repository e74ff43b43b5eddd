"""Brings a phone's row to where a job has left it that no law has played."""

import numpy as np

from droidloop.devices.phone.battery import advance
from droidloop.devices.phone.play import PROCESS_KEPT_US
from droidloop.devices.phone.thermal import heat_up
from droidloop.devices.population.population import Population


def follow(population: Population, row: np.void) -> None:
    """Bring the accounts of the phone of *row* to the end of that job.

    Recorded and measured jobs come through here alike, so that a replay gives what was measured.
    """
    if row["battery_uj"] < 0:
        return  # given up while the phone was busy with another
    phone = int(row["phone"])
    state = population.state[phone]
    advance(population.world, phone, int(row["start_us"]), 0, 0, 0, False)
    if row["down_end_us"] >= 0:
        end_us = row["compute_end_us"] if row["compute_end_us"] >= 0 else row["finish_us"]
        heat_up(population.traits[phone], state, int(row["down_end_us"]), int(end_us))
    state["t_us"] = state["busy_until_us"] = row["finish_us"]
    for name in ("promotion_uj", "radio_uj", "cpu_uj", "own_uj", "accepted_uj"):
        state[name] += row[name]
    state["tail_uj"] = state["booked_tail_uj"] = state["booked_tail_uj"] + row["tail_uj"]
    for name in ("battery_uj", "cell_end_us", "wifi_end_us"):
        state[name] = row[name]
    for name in ("downloaded_bytes", "uploaded_bytes"):
        state[name] += row[name]
    if row["load_bytes"] >= 0 and row["down_end_us"] >= 0:
        end_us = int(row["compute_end_us"])
        state["process_until_us"] = end_us + PROCESS_KEPT_US if end_us >= 0 else 0
    died = not state["dead"] and row["battery_uj"] == 0 and row["finish_us"] > row["start_us"]
    state["deaths"] += died
    state["dead"] = state["dead"] or died
    if died and state["deaths"] == population.traits["last_death"][phone]:
        state["given_up_us"] = row["finish_us"]
