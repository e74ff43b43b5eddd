"""Who is forgotten, and how well: FedMF on ml-100k with planted users, once for docs/churn.md.

`python -m tests.studies.unlearning DATA [--choose | --fedgcn] [--seed=N]`: rows for
docs/figures/unlearning.jsonl on the standard output. Planted users promote one item that hardly
anybody has; they, and as many honest users, come after 60 of 100 rounds, and ask to be forgotten
when all are over. The old model (nothing is unlearned) and each way of forgetting are judged by all
others. ``--choose`` tries settings, on other seeds; ``--fedgcn`` measures FRU with LightGCN on ego
graphs.

Membership: an attacker knows half of what an honest forgotten user had, fits a vector to that with
the items' vectors of the model, and ranks the other half against as many items that the user never
had. The AUC of that is high for any good model; what a user has left in it shows in the difference
to the model that was retrained without them.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.platform.arrays import Array
from droidloop.platform.draws import Draws
from droidloop.platform.ledger import read
from droidloop.scenarios.run import run as running
from droidloop.scenarios.run.experiment import Experiment, prepare
from droidloop.scenarios.schema.schema import Scenario

REPORTED, CHOSEN_ON = (1, 2, 3), (11,)
USERS, ROUNDS, CLIENTS = 943, 100, 94
COME_H = 59.5
"""When those come who will be forgotten: after 60 of the rounds, one an hour."""
PLANTED, HONEST = 19, 19
"""2 % of all users each."""
TIMES = 15.0
"""How far beyond the popular items planted users push: enough for half of all lists."""
CAPS = (0.1, 0.01)
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "fru": [
        {"epochs": 1},
        {"epochs": 2},
        {"epochs": 2, "every": 2},
        {"epochs": 2, "unlogged": "keep"},
    ],
    "rapid": [{"turns_share": 0.5, "step": step} for step in (0.03, 0.06)],
    "ascent": [
        {"passes": passes, "radius": radius, "mending_turns": 5}
        for passes, radius in ((1, 1.0), (5, 5.0))
    ],
}
BEST: dict[str, dict[str, Any]] = {
    "fru": {"epochs": 1},
    "rapid": {"turns_share": 0.5, "step": 0.05},
    "ascent": {"passes": 1, "radius": 1.0, "mending_turns": 5},
}
"""What was best on the seeds to choose on."""


def who(seed: int) -> tuple[list[int], list[int]]:
    """Return the planted and the honest users that are forgotten."""
    drawn = Draws(seed, "forgotten").choose(np.arange(USERS), PLANTED + HONEST, 0)
    order = Draws(seed, "planted").order(drawn, 0)
    return sorted(order[:PLANTED].tolist()), sorted(order[PLANTED:].tolist())


def stays(phones: list[int]) -> str:
    """Write who comes late, and wishes to be forgotten when the last round has ended."""
    path = Path(tempfile.gettempdir()) / f"stays-{os.getpid()}.csv"
    lines = [f"{one},{COME_H},{ROUNDS + 0.75},forget" for one in phones]
    path.write_text("\n".join(["phone,from_h,until_h,how", *lines, ""]))
    return str(path)


RULES: dict[str, dict[str, Any]] = {
    "fedmf": {"rule": "fedmf", "epochs": 2},
    "fedgcn": {"rule": "fedgcn", "epochs": 2},
}
RULE = "fedgcn" if "--fedgcn" in sys.argv[1:] else "fedmf"
"""LightGCN on ego graphs is measured with FRU alone."""
UNLOGGED = {"fedmf": ("keep", "drop"), "fedgcn": ("keep",)}
"""What becomes of rows that a capped log has not kept; dropping them ruined FedMF."""


def scenario(data: str, seed: int, item: int, unlearning: dict[str, Any]) -> Scenario:
    """Return the scenario of one run; the wish comes when the last round has ended."""
    planted, honest = who(seed)
    return Scenario.of(
        {
            "name": "unlearning",
            "title": "Planted and honest users are forgotten",
            "seed": seed,
            "checkpoint_every": 0,
            "data": {"path": data},
            "population": {"ideal": True},
            "churn": {"notice_h": 1.0, "file": stays(planted + honest)},
            "unlearning": unlearning,
            "model": {"dim": 32},
            "training": RULES[RULE],
            "protocol": {
                "rounds": ROUNDS,
                "every_s": 3600.0,
                "deadline_s": 3000.0,
                "clients": CLIENTS,
                "min_battery": 0.0,
                "senders": [
                    {"kind": "promoted-item", "phones": planted, "item": item, "times": TIMES}
                ],
            },
            "delivery": {"variant": "none"},
            "evaluation": {
                "every": 1000,
                "baselines": [],
                "metrics": ["hr", "ndcg", {"name": "exposure", "item": item}],
            },
        }
    )


def rare_item(data: str, seed: int) -> int:
    """Return the first item that five users have in training, or the fewest that are more."""
    split = prepare(scenario(data, seed, 0, {"kind": "none"})).task.split
    counts = np.bincount(split.train.items, minlength=split.n_items)
    return int(np.argmin(np.where(counts >= 5, counts, counts.max() + 1)))


def played(one: Scenario) -> tuple[Experiment, dict[str, Any], dict[str, float], Array]:
    """Play *one*; return what it was made of, its summary, its quality, and all top lists."""
    kept: list[Experiment] = []

    def remembered(asked: Scenario) -> Experiment:
        kept.append(prepare(asked))
        return kept[-1]

    with tempfile.TemporaryDirectory() as folder, patch.object(running, "prepare", remembered):
        answer = running.execute(one, Path(folder) / "run", replay=None, progress=lambda *_: None)
        metrics = read(Path(folder) / "run", "metrics")
        lists = read(Path(folder) / "run", "lists")
    found = {}
    for name, ranking in (
        ("hr_at_10", "sampled"),
        ("ndcg_at_10", "sampled"),
        ("exposure_at_10", "full"),
    ):
        mine = (metrics["name"] == name.encode()) & (metrics["ranking"] == ranking.encode())
        found[name] = float(metrics["value"][mine & (metrics["model"] == b"trained")].mean())
    lists = lists[lists["model"] == b"trained"]
    top = np.full((USERS, 10), -1)
    top[lists["phone"], lists["place"] - 1] = lists["item"]
    return kept[0], answer, found, top


def membership(study: Experiment, users: list[int], draws: Draws) -> float:
    """Return the AUC of the attacker who knows half of what *users* had, in the mean over them."""
    table = study.learning.server.params["item"].numpy().astype(np.float64)  # type: ignore[attr-defined]
    train: UserItems = study.task.split.train
    had = study.task.interactions
    values = []
    for user in users:
        mine = draws.child("half").order(train.of(user), user)
        known, hidden = mine[: len(mine) // 2], mine[len(mine) // 2 :]
        never = np.setdiff1d(np.arange(len(table)), had.items[had.users == user])
        others = draws.child("never").order(never, user)
        vector = fitted(table[known], table[others[: 4 * len(known)]])
        inside = table[hidden] @ vector
        rest = others[4 * len(known) :]  # of who had nearly everything: some that were fitted to
        outside = table[rest[: len(hidden)] if len(rest) else others[-len(hidden) :]] @ vector
        greater = (inside[:, None] > outside).mean() + 0.5 * (inside[:, None] == outside).mean()
        values.append(greater)
    return float(np.mean(values))


def fitted(liked: Array, others: Array, l2: float = 0.1, steps: int = 200) -> Array:
    """Return the vector of a logistic regression without an intercept, by gradient descent."""
    rows = np.concatenate([liked, others])
    labels = np.repeat([1.0, 0.0], [len(liked), len(others)])
    vector = np.zeros(rows.shape[1])
    rate = 1.0 / (0.25 * np.square(rows).sum() + l2)
    for _ in range(steps):
        error = labels - 1.0 / (1.0 + np.exp(-rows @ vector))
        vector += 4 * rate * (rows.T @ error - l2 * vector)
    return vector


def shared(one: Array, other: Array) -> float:
    """Return the share of a list of *other*, (users, 10), that *one* shows too, in the mean."""
    judged = np.flatnonzero((other >= 0).all(axis=1) & (one >= 0).all(axis=1))
    return float(np.mean([len(np.intersect1d(one[user], other[user])) / 10 for user in judged]))


def figures(data: str, seed: int, ways: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each of *ways*, beside the old model and retraining.

    A cap of a log is a share of the largest log that a phone had without one, in the way ``fru``.
    """
    item, honest = rare_item(data, seed), who(seed)[1]
    rows: list[dict[str, Any]] = []
    tops = {}
    for name, unlearning in {
        "none": {"kind": "none"},
        "retrain": {"kind": "retrain"},
        **ways,
    }.items():
        if "cap" in unlearning:
            full = next(row["log_bytes"] for row in rows if row["way"] == "fru")
            unlearning = {**unlearning, "log_bytes": round(unlearning["cap"] * full)}
            del unlearning["cap"]
        study, answer, found, top = played(scenario(data, seed, item, unlearning))
        took = answer["unlearning"]
        tops[name] = top
        took = {key: took.get(key) for key in ("phones", "turns", "jobs", "energy_j", "log_bytes")}
        took["mb"] = (answer["unlearning"]["down_bytes"] + answer["unlearning"]["up_bytes"]) / 1e6
        auc = membership(study, honest, Draws(seed, "membership"))
        rows.append({"way": name, "seed": seed, **found, "membership_auc": auc, **took})
        print(name, json.dumps(rows[-1]), file=sys.stderr, flush=True)
    for row in rows:
        row["lists_shared"] = shared(tops[row["way"]], tops["retrain"])
        row["lists_shared_with_old"] = shared(tops[row["way"]], tops["none"])
    return rows


def main() -> None:
    """Print the rows."""
    data, *options = sys.argv[1:]
    if "--choose" in options:
        for seed in CHOSEN_ON:
            ways = {
                f"{kind} {json.dumps(one)}": {"kind": kind, **one}
                for kind, some in SETTINGS.items()
                for one in some
            }
            for row in figures(data, seed, ways):
                print(json.dumps(row), flush=True)
        return
    seeds = [int(one.partition("=")[2]) for one in options if one.startswith("--seed=")]
    for seed in seeds or REPORTED:
        ways = {kind: {"kind": kind, **one} for kind, one in BEST.items()}
        if RULE == "fedgcn":
            ways = {"fru": ways["fru"]}
        for cap in CAPS:
            for unlogged in UNLOGGED[RULE]:
                name = f"fru, log of {cap:.0%}, the rest: {unlogged}"
                ways[name] = {**ways["fru"], "cap": cap, "unlogged": unlogged}
        for row in figures(data, seed, ways):
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
