"""Sampled candidates and the sets that training may not draw from."""

import numpy as np
import pytest

from droidloop.models.data.interactions import Interactions, UserItems, union
from droidloop.models.data.split import Split, leave_one_out
from droidloop.models.data.synthetic import generate
from droidloop.models.evaluation.candidates import exclusions, sample_candidates
from droidloop.platform.draws import Draws

DRAWS = Draws(5, "candidates")


@pytest.fixture(scope="module")
def split() -> Split:
    return leave_one_out(generate(200, 600, 40, Draws(1, "data")))


def rows(part: UserItems) -> list[list[int]]:
    return [part.of(user).tolist() for user in range(part.n_users)]


def of_one_user(seen: list[int], n_items: int) -> Split:
    n = len(seen)
    data = Interactions(
        np.zeros(n, np.int64),
        np.array(seen, np.int64),
        np.ones(n),
        np.arange(n),
        np.arange(1),
        np.arange(n_items),
    )
    return leave_one_out(data)


def test_each_user_has_99_and_99_different_items_never_seen(split: Split) -> None:
    drawn = sample_candidates(split, DRAWS)
    assert set(drawn.valid.counts) == set(drawn.test.counts) == {99}
    seen = union(split.train, split.valid, split.test)
    for user in range(split.n_users):
        both = [*drawn.of("valid").of(user), *drawn.of("test").of(user)]
        assert len(set(both)) == 198
        assert set(both).isdisjoint(seen.of(user))
        assert 0 <= min(both) <= max(both) < split.n_items


@pytest.mark.parametrize("n_items", [405, 404])
def test_a_user_who_saw_much_has_what_is_left(n_items: int) -> None:
    """404 items are too few for drawing until new, which must not show."""
    drawn = sample_candidates(of_one_user([3, 1, 0, 7], n_items), DRAWS)
    both = {*drawn.valid.items.tolist(), *drawn.test.items.tolist()}
    assert len(both) == 198
    assert both <= set(range(n_items)) - {3, 1, 0, 7}


@pytest.mark.parametrize(("n_items", "sizes"), [(5, (0, 1)), (4, (0, 0)), (17, (6, 7))])
def test_too_few_unseen_items_are_shared_between_the_parts(
    n_items: int, sizes: tuple[int, int]
) -> None:
    drawn = sample_candidates(of_one_user([3, 1, 0, 2], n_items), DRAWS)
    assert (len(drawn.valid.items), len(drawn.test.items)) == sizes
    both = sorted([*drawn.valid.items.tolist(), *drawn.test.items.tolist()])
    assert both == list(range(4, n_items))


def test_candidates_depend_on_the_seed_and_the_user_alone(split: Split) -> None:
    few = leave_one_out(generate(20, 600, 40, Draws(1, "data")))
    drawn = sample_candidates(split, DRAWS)
    assert rows(drawn.test)[:20] == rows(sample_candidates(few, DRAWS).test)
    assert rows(drawn.test) != rows(sample_candidates(split, Draws(6, "candidates")).test)


@pytest.mark.parametrize("n_items", [1000, 30])
def test_every_unseen_item_is_drawn_equally_often(n_items: int) -> None:
    """With 1000 items by drawing until new, with 30 by a shuffle."""
    data = Interactions(
        np.repeat(np.arange(4000), 5),
        np.tile(np.arange(5), 4000),
        np.ones(20_000),
        np.tile(np.arange(5), 4000),
        np.arange(4000),
        np.arange(n_items),
    )
    drawn = sample_candidates(leave_one_out(data), DRAWS, per_part=10)
    counts = np.bincount(np.concatenate([drawn.valid.items, drawn.test.items]), minlength=n_items)
    assert counts[:5].tolist() == [0] * 5
    expected = 80_000 / (n_items - 5)
    # Draws of one user exclude each other, so the spread is below that of chi-squared.
    freedom = n_items - 6
    squares = ((counts[5:] - expected) ** 2 / expected).sum()
    assert squares < freedom + 5 * np.sqrt(2 * freedom)


def test_clean_excludes_training_and_pfedrec_also_what_is_held_out(split: Split) -> None:
    clean, leaky = exclusions(split, "clean"), exclusions(split, "pfedrec")
    for user in range(split.n_users):
        train = sorted(split.train.of(user).tolist())
        held = [*split.valid.of(user), *split.test.of(user)]
        assert clean.of(user).tolist() == train
        assert leaky.of(user).tolist() == sorted([*train, *held])


def test_a_protocol_that_does_not_exist_is_refused(split: Split) -> None:
    with pytest.raises(ValueError, match="must be one of clean, pfedrec, not 'fair'"):
        exclusions(split, "fair")  # type: ignore[arg-type]
