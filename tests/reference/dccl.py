"""MetaPatch and MoMoDistill by NDCG@10 over all items: what the rows of both data sets share.

Of each user's events in time the latest 10 % are for test and the 10 % before for validation. Of
the rest the phone alone has the latest quarter, the cloud what came before. The cloud trains
matrix factorisation on what it has (its best epoch on validation) and is frozen; each phone trains
a patch of 16 numbers on its own quarter. The basis of patches is learned by the cloud: a first
model on the oldest three quarters of its events, patches on the rest of them. ``tuned`` trains the
user's whole vector as phones train patches, at its own step. MoMoDistill then trains the cloud's
model on its own events with the phones' models as teachers; ``longer`` does the same without
teachers.

``few`` are the third of users with the fewest events before validation: the long tail. Settings
were chosen on validation of ml-100k with seed 11.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.reference.row import Bar, Line, Values, at_least

if TYPE_CHECKING:
    from droidloop.models.data.interactions import Interactions, UserItems
    from droidloop.models.data.split import Part, Split
    from droidloop.models.interfaces.learning import Params
    from droidloop.models.recommenders.mf import MF
    from droidloop.platform.arrays import Float32Array, FloatArray
    from droidloop.platform.draws import Draws

_PLAY = "latest tenth, all items"
MODELS = ("cloud", "patched", "tuned", "distilled", "longer")
DIM, NUMBERS, RECENT, L2 = 32, 16, 0.25, 0.003
PATCH, TUNED = (0.3, 0.0003, 20), (0.1, 0.01, 20)
"""Step, l2 and passes on the phone."""
BETA, EPOCHS, RATE = 16.0, 10, 0.01
"""Of the distillation."""


def lines_of(data: str, because: dict[str, str]) -> dict[str, Line]:
    """Return the lines of the row on *data*; *because* says by claim why it does not hold."""
    lines = {f"dccl-{name}-{data}": Line(_PLAY, "NDCG@10") for name in MODELS} | {
        f"dccl-{name}-few-{data}": Line(f"{_PLAY}, few", "NDCG@10") for name in MODELS
    }
    lines |= {
        f"metapatch-over-cloud-{data}": Line(_PLAY, "NDCG@10 difference", at_least(0.0)),
        f"metapatch-over-tuned-{data}": Line(_PLAY, "NDCG@10 difference"),
        f"metapatch-share-{data}": Line("of the model's numbers", "trained", Bar(0, 0.01)),
        f"metapatch-zero-{data}": Line("a patch of 0", "bytes changed", Bar(0, 0)),
        f"momodistill-over-cloud-few-{data}": Line(
            f"{_PLAY}, few", "NDCG@10 difference", at_least(0.0)
        ),
        f"momodistill-over-longer-few-{data}": Line(
            f"{_PLAY}, few", "NDCG@10 difference", at_least(0.0)
        ),
        f"momodistill-over-cloud-{data}": Line(_PLAY, "NDCG@10 difference", at_least(0.0)),
    }
    for name, why in because.items():
        lines[f"{name}-{data}"] = replace(lines[f"{name}-{data}"], because=why)
    return lines


def measured(split: "Split", lines: dict[str, Line], seed: int, *, later: bool) -> Values:
    """Return the figures of one seed, by user; see ``one_seed``."""
    found, share, zero, few = one_seed(split, seed, later=later)
    tail = {name: np.where(few, values, np.nan) for name, values in found.items()}
    values: list[Any] = [*(found[name] for name in MODELS), *(tail[name] for name in MODELS)]
    values += [found["patched"] - found["cloud"], found["patched"] - found["tuned"], share, zero]
    values += [tail["distilled"] - tail["cloud"], tail["distilled"] - tail["longer"]]
    values += [found["distilled"] - found["cloud"]]
    return dict(zip(lines, values, strict=True))


def split_of(interactions: "Interactions") -> "Split":
    """Return the oldest 80 %, the next and the latest 10 % of each user's events, all ratings 1."""
    from droidloop.models.data.interactions import by_user
    from droidloop.models.data.samples import TEST, TRAIN, VALID, parts
    from droidloop.models.data.split import Split
    from tests.reference.movielens import implicit

    events = by_user(implicit(interactions))
    part = parts(events.counts)
    train, valid, test = (events.keep(part == one) for one in (TRAIN, VALID, TEST))
    return Split(train, valid, test, interactions.n_items)


def one_seed(
    split: "Split", seed: int, part: "Part" = "test", *, later: bool = False
) -> "tuple[dict[str, FloatArray], float, float, np.ndarray]":
    """Return NDCG@10 of each user by model, the share trained, bytes that 0 changes, who is few.

    With *later* phones have the validation events, too, when the test is asked.
    """
    import torch

    from droidloop.models.data.interactions import behind
    from droidloop.models.fitting.fit import Hyperparameters
    from droidloop.models.recommenders.mf import MF
    from droidloop.models.tuning.meta_patch import learn_basis, older, patched
    from droidloop.models.tuning.momo_distill import momo_distill
    from droidloop.platform.draws import Draws

    draws, mf = Draws(seed, "patch"), MF(split.n_items, DIM, "log", L2)
    seen, own = older(split.train, RECENT)
    if later and part == "test":
        own = behind(own, split.valid)
    first, latest = older(seen, RECENT)
    before, cloud = (
        _fitted(mf, split, train, draws, name) for name, train in (("first", first), ("seen", seen))
    )
    basis = learn_basis(mf, before, latest, split.train, NUMBERS, 10, draws.child("basis"))
    whole = np.concatenate([np.zeros((DIM, DIM)), np.eye(DIM)], axis=1).astype(np.float32)
    found, devices = {"cloud": _ndcg(mf, split, cloud, part)}, {}
    for name, base, setting in (("patched", basis, PATCH), ("tuned", whole, TUNED)):
        devices[name] = _on_phones(mf, split, cloud, base, setting, own, draws.child("turns"))
        params = cloud | {"user": torch.from_numpy(devices[name])}
        found[name] = _ndcg(mf, split, params, part)
    longer = Hyperparameters(epochs=EPOCHS, lr=RATE, batch=2048, negatives=4)
    for name, beta in (("distilled", BETA), ("longer", 0.0)):
        given = (mf, cloud, devices["patched"], seen, longer)
        after = momo_distill(*given, beta=beta, draws=draws.child("distil"))
        found[name] = _ndcg(mf, split, after, part)
    users = cloud["user"].numpy()
    zero = patched(users, np.zeros((len(users), NUMBERS), np.float32), basis)
    changed = float(np.count_nonzero(zero.view(np.uint32) != users.view(np.uint32)) * 4)
    few = np.argsort(np.argsort(split.train.counts, kind="stable")) * 3 // split.n_users == 0
    return found, NUMBERS / (DIM * (split.n_items + 1)), changed, few


def _ndcg(mf: "MF", split: "Split", params: "Params", part: "Part") -> "FloatArray":
    """Return NDCG@10 of each user; NaN: not asked."""
    from droidloop.models.evaluation.evaluate import evaluate
    from droidloop.models.evaluation.evaluator import ModelScorer

    judged = evaluate(ModelScorer(mf, params).every, split, part=part)
    every = np.full(split.n_users, np.nan)
    every[judged.users] = judged.values["ndcg_at_10"]
    return every


def _fitted(mf: "MF", split: "Split", train: "UserItems", draws: "Draws", name: str) -> "Params":
    """Return the model trained on *train* in one place, of the best epoch on validation."""
    from droidloop.models.fitting.fit import Hyperparameters, fit
    from droidloop.models.interfaces.learning import init_all

    return fit(
        *(mf, init_all(mf, draws, split.n_users), train),
        Hyperparameters(epochs=30, lr=0.01, batch=2048, negatives=4, patience=3),
        n_items=split.n_items,
        draws=draws.child(name),
        engine="numba",
        validate=lambda params: float(np.nanmean(_ndcg(mf, split, params, "valid"))),
    )


def _on_phones(
    mf: "MF",
    split: "Split",
    cloud: "Params",
    basis: "Float32Array",
    setting: tuple[float, float, int],
    own: "UserItems",
    draws: "Draws",
) -> "Float32Array":
    """Return what phones make of their users' vectors by a turn of patches on *basis*."""
    from droidloop.models.tuning.meta_patch import (
        MetaPatch,
        MetaPatchSection,
        patch_store,
        patched,
    )

    phones, (rate, l2, epochs) = np.arange(split.n_users), setting
    chosen = MetaPatchSection(numbers=len(basis), learning_rate=rate, l2=l2, epochs=epochs)
    store = patch_store(len(basis), split.n_users)
    rule = MetaPatch(mf, cloud, basis, chosen, split.train, threads=1)
    rule.learn(phones, None, store, own, 0, draws)
    return patched(cloud["user"].numpy(), store.gather(phones)["patch"], basis)
