import numpy as np
import pytest

from droidloop.models.interfaces.learning import check_private, init_all
from droidloop.models.recommenders.mf import MF
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages


def message(**arrays: object) -> Messages:
    one = np.zeros(1, np.int64)
    values = {name: np.zeros((2, 2), np.float32) for name in arrays}
    return Messages("delta", one, one, values, np.ones(1), one)


def test_a_message_with_a_private_name_is_stopped() -> None:
    with pytest.raises(ValueError, match=r"'user'.*'delta'"):
        check_private(message(item=0, user=0), MF(2, 2))


def test_other_messages_pass_unchanged() -> None:
    harmless = message(item=0)
    assert check_private(harmless, MF(2, 2)) is harmless


def test_central_parameters_are_the_shared_and_all_private_ones() -> None:
    params = init_all(MF(4, 2), Draws(1, "x"), 3)
    assert {name: tuple(value.shape) for name, value in params.items()} == {
        "item": (4, 2),
        "user": (3, 2),
    }
