"""The table of operators in both of its forms: with a column of starts until 2022, and without."""

import pytest

from droidloop.devices.android.errors import ParseError
from droidloop.devices.android.parsers.op_profile import Operator, parse_op_profile

OLD = """Inference timings in us: Init: 5, First inference: 9, Warmup (avg): 9, Inference (avg): 7
Profiling Info for Benchmark Initialization:
============================== Run Order ==============================
\t  [node type]\t  [start]\t  [first]\t [avg ms]\t  [%]\t  [cdf%]\t  [mem KB]\t\
[times called]\t[Name]
\t  AllocateTensors\t  0.000\t  9.356\t  9.356\t100.000%\t100.000%\t  0.000\t  1\t\
AllocateTensors/0

Number of nodes executed: 1

Operator-wise Profiling Info for Regular Benchmark Runs:
============================== Run Order ==============================
\t  [node type]\t  [start]\t  [first]\t [avg ms]\t  [%]\t  [cdf%]\t  [mem KB]\t\
[times called]\t[Name]
\t  CONV_2D\t  0.066\t  2.754\t  2.500\t 62.500%\t 62.500%\t  0.000\t  1\t\
[one, two/Relu]:0
\t  TfLiteNnapiDelegate\t  2.566\t  1.600\t  1.500\t 37.500%\t100.000%\t  0.000\t  2\t\
[out]:31

============================== Top by Computation Time ==============================
"""
NEW = """INFO: Operator-wise Profiling Info for Regular Benchmark Runs:
============================== Run Order ==============================
\t [node type]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t[times called]\t[Name]
\t Convolution (NHWC, QC8) IGEMM\t    0.398\t    0.400\t100.000%\t100.000%\t     0.000\t        1\t\
Delegate/Convolution (NHWC, QC8) IGEMM:1

"""


def test_operators_are_those_of_the_measured_runs_in_their_order() -> None:
    assert parse_op_profile(OLD) == (
        Operator("CONV_2D", "[one, two/Relu]:0", 2500.0, 62.5, 1),
        Operator("TfLiteNnapiDelegate", "[out]:31", 1500.0, 37.5, 2),
    )


def test_a_kind_with_spaces_is_whole() -> None:
    kind = "Convolution (NHWC, QC8) IGEMM"
    assert parse_op_profile(NEW) == (Operator(kind, f"Delegate/{kind}:1", 400.0, 100.0, 1),)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (OLD.replace("Operator-wise", "Other"), "no profile of its operators"),
        (OLD.replace("\t 62.500%\t 62.500%", "\t odd"), "not an operator"),
        (NEW.replace("[avg ms]", "[avg us]"), "no table of operators"),
        (NEW.rstrip(), "the table has no end"),
        (NEW.replace("0.400", "1.2.3"), "1.2.3"),
    ],
)
def test_other_output_is_an_error(text: str, why: str) -> None:
    with pytest.raises(ParseError, match=why):
        parse_op_profile(text)
