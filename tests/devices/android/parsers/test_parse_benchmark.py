import pytest

from droidloop.devices.android.errors import ParseError
from droidloop.devices.android.parsers.benchmark import parse_benchmark

NEW = """INFO: STARTING!
INFO: The input model file size (MB): 1.5
VERBOSE: Replacing 7 out of 9 node(s) with delegate (Example) node, \
yielding 2 partitions for subgraph 0.
INFO: count=3 first=900 curr=500 min=480 max=900 avg=626.667 std=190
INFO: count=50 first=500 curr=501 min=480 max=600 avg=510.5 std=20 p5=481 median=500 p95=590
INFO: Inference timings in us: Init: 2.95034e+06, First inference: 900, \
Warmup (avg): 626.667, Inference (avg): 510.5
INFO: Memory footprint delta from the start of the tool (MB): init=1.5 overall=2.25
INFO: Timings (microseconds): count=50 first=1 curr=1 min=1 max=1 avg=1 std=0
"""
SUMMARY = (
    "Inference timings in us: Init: 5, First inference: 9, Warmup (avg): 9, Inference (avg): 7"
)


def test_measured_runs_are_the_last_before_the_summary() -> None:
    result = parse_benchmark(NEW)
    assert result.init_us == 2_950_340
    assert (result.first_us, result.inference_avg_us) == (900, 510.5)
    assert result.stats is not None
    stats = result.stats
    assert (stats.p5_us, stats.median_us, stats.p95_us) == (481, 500, 590)
    assert result.memory_overall_mb == 2.25


def test_a_single_run_has_no_distribution() -> None:
    stats = parse_benchmark(f"count=1 curr=7\n\n{SUMMARY}\n").stats
    assert stats is not None
    assert (stats.p5_us, stats.median_us, stats.p95_us) == (None, None, None)


def test_oldest_summary() -> None:
    text = "Average inference timings in us: Warmup: 3, Init: 2, no stats: 1.5\n"
    result = parse_benchmark(text)
    assert (result.init_us, result.inference_avg_us) == (2, 1.5)
    assert result.first_us is None


def test_logcat_headers_are_dropped() -> None:
    logcat = "".join(
        f"05-06 07:08:09.123  1234  1250 I tflite  : {line}\n" for line in NEW.splitlines()
    )
    assert parse_benchmark(logcat) == parse_benchmark(NEW)


def test_same_result_twice_is_one_result() -> None:
    assert parse_benchmark(NEW + NEW.splitlines()[5]) == parse_benchmark(NEW)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "0 different results"),
        ("ERROR: Failed to load model\n", "0 different results"),
        (NEW + SUMMARY, "2 different results"),
        (f"count=9 first=1 curr=1 min=1 max=1 avg=1 std=0\n{SUMMARY}", "the runs give 1.0"),
        (f"count=9 std=0\n{SUMMARY}", "no avg"),
        (NEW.replace("2.95034e+06", "1e999"), "finite"),
    ],
)
def test_other_output_is_an_error(text: str, why: str) -> None:
    with pytest.raises(ParseError, match=why):
        parse_benchmark(text)
