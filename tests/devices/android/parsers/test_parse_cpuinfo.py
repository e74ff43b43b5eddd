import pytest

from droidloop.devices.android.errors import ParseError
from droidloop.devices.android.parsers.cpuinfo import parse_cpuinfo


def arm_core(number: int, part: str) -> str:
    return f"processor\t: {number}\nCPU implementer\t: 0x41\nCPU part\t: {part}\n\n"


def test_cores_of_two_kinds_are_counted_by_kind() -> None:
    info = parse_cpuinfo("".join(arm_core(n, "0xd05" if n < 6 else "0xD0B") for n in range(8)))
    assert info.cores == 8
    assert info.parts == {"0x41:0xd05": 6, "0x41:0xd0b": 2}
    assert info.hardware is None


def test_old_kernel_describes_all_cores_in_one_block() -> None:
    text = (
        "Processor : ARMv7 Processor rev 0 (v7l)\nprocessor : 0\nBogoMIPS : 38.4\n\n"
        "processor : 1\nBogoMIPS : 38.4\n\nFeatures : neon\nCPU implementer : 0x51\n"
        "CPU part : 0x06f\n\nHardware : Example SoC\n"
    )
    info = parse_cpuinfo(text)
    assert (info.cores, info.hardware) == (2, "Example SoC")
    assert info.parts == {"0x51:0x06f": 2}
    assert info.model_name == "ARMv7 Processor rev 0 (v7l)"


def test_x86_has_a_model_and_no_part() -> None:
    info = parse_cpuinfo("processor\t: 0\nvendor_id\t: Example\nmodel name\t: Example 9\n")
    assert (info.cores, info.parts, info.model_name) == (1, {}, "Example 9")


@pytest.mark.parametrize(
    "text",
    ["", "Hardware : x\n", "processor : 0\nprocessor : 0\n", arm_core(0, "0xzz")],
)
def test_other_text_is_an_error(text: str) -> None:
    with pytest.raises(ParseError, match="/proc/cpuinfo"):
        parse_cpuinfo(text)
