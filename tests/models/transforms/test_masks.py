"""Masks: the sum is exact, no message says anything, drop-outs are repaired or reported."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chisquare, kstest

from droidloop.models.federated.fedmf import FedMF
from droidloop.models.federated.folds import Fold, fed_avg, gradient_descent, row_average
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.interfaces.transforms import Setting
from droidloop.models.recommenders.mf import MF
from droidloop.models.transforms.inspection import Cause, inspect
from droidloop.models.transforms.masks import Masks, MasksSection, build
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages
from tests.contracts.server_rule import bits
from tests.contracts.tiny import cohort_of, tiny_data

DRAWS = Draws(10, "masks")
N, DIM, PHONES = 40, 5, 26
MODEL = MF(N, DIM)
DATA = tiny_data(DRAWS, PHONES, N)
EVERYBODY = np.arange(PHONES)


def masks(server: Fold, **keys: int) -> Masks:
    store = PrivateStore.of(MODEL, DRAWS, PHONES)
    setting = Setting(PHONES, DRAWS, MODEL, DATA, store, server)
    return build(MasksSection.model_validate({"group": 6, **keys}), setting)


def uploads(server: Fold, **options: str) -> Messages:
    rule = FedMF(MODEL, **options)  # type: ignore[arg-type]
    [inbox] = server.broadcast(EVERYBODY)
    return rule.step(cohort_of(MODEL, DRAWS, EVERYBODY), inbox, DATA, DRAWS)


def opened(
    one: Masks, sent: Messages, came: IntArray, answers: IntArray | None = None, number: int = 3
) -> tuple[Messages, np.ndarray]:
    """Seal, lose what did not come, ask again those of *answers* (None: all), open."""
    sealed = one.seal(sent, EVERYBODY, number).take(came)
    asked = one.ask(EVERYBODY, came, number)
    told = None
    if asked is not None:
        told = one.answer(asked, number)
        if answers is not None:
            told = told.take(np.isin(told.sender, answers))
    return one.open_together(sealed, EVERYBODY, told, number)


FOLDS = {"rows": row_average, "items": fed_avg, "sum": lambda p: gradient_descent(p, 1.0)}
UPLOADS: list[dict[str, str]] = [
    {},
    {"upload": "full"},
    {"kind": "parameters"},
    {"kind": "gradient", "upload": "full"},
]


@pytest.mark.parametrize("fold", FOLDS)
@pytest.mark.parametrize("options", UPLOADS)
def test_the_sum_of_masked_uploads_equals_the_plain_sum_to_the_bit(
    fold: str, options: dict[str, str]
) -> None:
    plain, masked = (FOLDS[fold](MODEL.init(DRAWS)) for _ in range(2))
    sent = uploads(plain, **options)
    assert plain.absorb(sent).all()
    total, used = opened(masks(masked), sent, EVERYBODY)
    assert used.all()
    assert masked.absorb(total).all()
    for server in (plain, masked):
        server.close()
    assert bits(masked) == bits(plain) != bits(FOLDS[fold](MODEL.init(DRAWS)))


def test_who_drops_out_between_the_phases_is_repaired() -> None:
    plain, masked = row_average(MODEL.init(DRAWS)), row_average(MODEL.init(DRAWS))
    sent, came = uploads(plain), np.setdiff1d(EVERYBODY, [3, 4, 17])
    plain.absorb(sent.take(came))
    one = masks(masked)
    total, used = opened(one, sent, came)
    assert used.all()
    masked.absorb(total)
    for server in (plain, masked):
        server.close()
    assert bits(masked) == bits(plain)
    notes = one.notes()
    assert notes["mask_failed"] == 0
    assert notes["mask_repaired"] in (1, 2, 3)


def test_a_group_that_cannot_be_repaired_fails_alone_and_says_so() -> None:
    plain, masked = row_average(MODEL.init(DRAWS)), row_average(MODEL.init(DRAWS))
    sent, came = uploads(plain), np.setdiff1d(EVERYBODY, [3])
    one = masks(masked)
    asked = one.ask(EVERYBODY, came, 3)
    assert asked is not None
    total, used = opened(one, sent, came, answers=asked.receiver[1:])
    assert one.notes() == {"mask_groups": 4, "mask_repaired": 0, "mask_failed": 1}
    assert came[~used].tolist() == asked.receiver.tolist()
    plain.absorb(sent.take(came[used]))
    masked.absorb(total)
    for server in (plain, masked):
        server.close()
    assert bits(masked) == bits(plain)


def test_the_server_learns_no_sum_of_fewer_than_the_least() -> None:
    server = row_average(MODEL.init(DRAWS))
    one = masks(server, group=PHONES, least=3)
    total, used = opened(one, uploads(server), np.array([5, 9]))
    assert not used.any()
    assert len(total) == 0
    assert one.ask(EVERYBODY, np.array([5, 9]), 3) is None


def test_nobody_is_asked_again_where_nobody_is_missing() -> None:
    assert masks(row_average(MODEL.init(DRAWS))).ask(EVERYBODY, EVERYBODY, 0) is None


def test_every_single_message_is_uniform() -> None:
    """A chi-square test of the bytes of each message, and of these tests' p-values together."""
    server = row_average(MODEL.init(DRAWS))
    one, sent = masks(server), uploads(server)
    found = []
    for number in range(8):
        sealed = one.seal(sent, EVERYBODY, number).arrays["item"]
        for message in sealed.reshape(PHONES, -1):
            counts = np.bincount(message.view(np.uint8), minlength=256)
            found.append(chisquare(counts).pvalue)
    assert min(found) > 0.01 / len(found), "Bonferroni's bound at 1 %"
    assert kstest(found, "uniform").pvalue > 0.01
    bare = one.server.encode(sent)["item"].reshape(PHONES, -1).view(np.uint8)
    assert chisquare(np.bincount(bare[0], minlength=256)).pvalue < 1e-9, "the test can fail"


def test_the_sum_of_two_messages_of_a_group_is_as_blind() -> None:
    server = row_average(MODEL.init(DRAWS))
    sealed = masks(server, group=PHONES).seal(uploads(server), EVERYBODY, 0).arrays["item"]
    rows = sealed.reshape(PHONES, -1)
    both = (rows[2] + rows[3]).view(np.uint8)
    assert chisquare(np.bincount(both, minlength=256)).pvalue > 0.001


def test_the_sealed_bytes_are_those_of_whole_tables_of_integers() -> None:
    server = row_average(MODEL.init(DRAWS))
    one, sent = masks(server), uploads(server)
    sealed = one.seal(sent, EVERYBODY, 0)
    assert (sealed.nbytes() == 32 + 8 * (N + 1) * (DIM + 1)).all()
    cost = one.cost(sent)
    assert (np.asarray(cost.flops) == (25 * 5 + 3) * (N + 1) * (DIM + 1)).all()


def test_sealing_a_part_of_a_cohort_gives_the_same_messages() -> None:
    server = row_average(MODEL.init(DRAWS))
    one, sent, some = masks(server), uploads(server), np.array([1, 8, 20])
    every = one.seal(sent, EVERYBODY, 2).take(some).arrays["item"]
    np.testing.assert_array_equal(one.seal(sent.take(some), EVERYBODY, 2).arrays["item"], every)


def test_masked_messages_have_the_form_that_is_told() -> None:
    server = row_average(MODEL.init(DRAWS))
    one = masks(server)
    sealed = one.seal(uploads(server), EVERYBODY, 0)
    form = one.form(server.form)
    assert not inspect(sealed, form, known=EVERYBODY).any()
    small = replace(sealed, offsets={"item": np.array([0, 1, *sealed.offsets["item"][2:]])})
    assert inspect(small, form, known=EVERYBODY)[:2].tolist() == [Cause.SIZE, Cause.SIZE]


def test_a_sum_that_cannot_be_one_of_sane_numbers_fails() -> None:
    server = row_average(MODEL.init(DRAWS))
    one, sent = masks(server, group=PHONES), uploads(server)
    sealed = one.seal(sent, EVERYBODY, 0)
    sealed.arrays["item"][5] += np.uint64(2**60)
    total, used = one.open_together(sealed, EVERYBODY, None, 0)
    assert not used.any()
    assert len(total) == 0
    assert one.notes()["mask_failed"] == 1


def test_a_phone_whose_training_broke_adds_nothing() -> None:
    plain, masked = row_average(MODEL.init(DRAWS)), row_average(MODEL.init(DRAWS))
    sent = uploads(plain)
    start = int(sent.offsets["item"][7])
    sent.arrays["item"][start] = np.nan
    plain.absorb(sent)
    total, used = opened(masks(masked), sent, EVERYBODY)
    assert used.all()
    masked.absorb(total)
    for server in (plain, masked):
        server.close()
    assert bits(masked) == bits(plain)


def test_sums_of_groups_that_would_wrap_together_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = row_average(MODEL.init(DRAWS))
    one, sent = masks(server), uploads(server)
    largest = 2.0**30 * max(
        float(np.abs(change).sum()) for change in np.split(sent.arrays["item"], 4)
    )
    monkeypatch.setattr("droidloop.models.transforms.masks._ROOM", largest / 100)
    _, used = opened(one, sent, EVERYBODY)
    assert 0 < used.sum() < PHONES
    assert one.notes()["mask_failed"] > 0
