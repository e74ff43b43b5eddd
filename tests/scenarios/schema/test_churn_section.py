"""What a scenario says of comings and goings is refused in one line where it makes no sense."""

from typing import Any

import pytest
from pydantic import ValidationError

from droidloop.scenarios.schema.churn_section import ChurnSection


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"events": [{"leaves_h": 1.0}]}, "name phones or give a share of all, one of the two"),
        ({"events": [{"leaves_h": 1.0, "share": 0.1, "phones": [1]}]}, "one of the two"),
        (
            {"events": [{"leaves_h": 1.0, "phones": [1], "how": "forget", "returns_h": 2.0}]},
            "who asks to be forgotten stays away; leave returns_h out",
        ),
        (
            {"events": [{"leaves_h": 3.0, "phones": [1], "returns_h": 2.0}]},
            "returns_h = 2 must be later than leaves_h = 3",
        ),
        (
            {"events": [{"leaves_h": 3.0, "phones": [1], "profile": "x"}]},
            "profile = 'x' without returns_h; give both",
        ),
        ({"file": "stays.csv", "lifetime_days": 2.0}, "leave churn.lifetime_days "),
        ({"announced_share": 0.7, "forget_share": 0.4}, "are more than all; lower one"),
        (
            {"leaving_by_hour": [1.0] * 23},
            "leaving_by_hour has 23 weights; give one for each of 24",
        ),
        ({"coming_by_hour": [0.0] * 24}, "one of them above 0"),
        ({"file": "stays.csv", "leaving_by_hour": [1.0] * 24}, "churn.file says when"),
    ],
)
def test_it_is_refused(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ChurnSection.model_validate(keys)
