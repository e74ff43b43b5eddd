import pytest

from droidloop.devices.android.errors import ParseError
from droidloop.devices.android.parsers.proc_meminfo import parse_proc_meminfo

KERNEL_3_4 = """MemTotal:         899164 kB
MemFree:           31872 kB
Buffers:            1024 kB
Active(anon):     250000 kB
HugePages_Total:       0
"""


def test_old_kernel_has_no_available_memory() -> None:
    meminfo = parse_proc_meminfo(KERNEL_3_4)
    assert meminfo.total_bytes == 899164 * 1024
    assert meminfo.available_bytes is None
    assert meminfo.counts == {"HugePages_Total": 0}
    assert meminfo.kib["Active(anon)"] == 250000


@pytest.mark.parametrize(
    "text",
    [
        "cat: /proc/meminfo: Permission denied\n",
        "MemFree: 1 kB\n",
        "MemTotal: 2 MB\n",
        "MemTotal: 2 kB\nMemTotal: 3 kB\n",
        "MemTotal: 2 kB\nMemFree: 3 kB\n",
        "MemTotal: \uff12 kB\n",
    ],
)
def test_other_memory_files_are_errors(text: str) -> None:
    with pytest.raises(ParseError, match="/proc/meminfo"):
        parse_proc_meminfo(text)
