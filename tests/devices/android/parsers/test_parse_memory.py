import pytest

from droidloop.devices.android.errors import ParseError
from droidloop.devices.android.parsers.meminfo import parse_meminfo, parse_process_meminfo
from droidloop.devices.android.parsers.proc_meminfo import parse_proc_meminfo

KERNEL_3_4 = """MemTotal:         899164 kB
MemFree:           31872 kB
Buffers:            1024 kB
Active(anon):     250000 kB
HugePages_Total:       0
"""

MARSHMALLOW = """Total PSS by process:
   111920 kB: com.example.launcher (pid 2208 / activities)
    40010 kB: system (pid 640)
      512 kB: com.example.launcher (pid 9)

Total PSS by OOM adjustment:
    40010 kB: Native
        40010 kB: system (pid 640)

Total RAM: 1893856 kB (status moderate)
 Free RAM: 608612 kB (217348 cached pss + 130884 cached kernel + 260380 free)
 Used RAM: 1242716 kB (1101012 used pss + 141704 kernel)
 Lost RAM: -4728 kB
     ZRAM: 4004 kB physical used for 10008 kB in swap (520908 kB total swap)
"""

ANDROID_14 = """Applications Memory Usage (in Kilobytes):
Uptime: 100 Realtime: 100

Total RSS by process:
    400,000K: com.example.app (pid 31 / activities)

Total PSS by process:
    252,370K: com.example.app (pid 31 / activities)              (   12,345K in swap)

Total RAM: 5,862,088K (status normal)
 Free RAM: 2,000,000K (  400,000K cached pss + 1,500,000K cached kernel +   100,000K free)
 Used RAM: 3,000,000K (2,500,000K used pss +   500,000K kernel)
"""

ONE_PROCESS = """Applications Memory Usage (in Kilobytes):
Uptime: 5 Realtime: 5

** MEMINFO in pid 812 [com.example.app] **
                   Pss  Private      Rss     Heap
                 Total    Dirty    Total     Size
                ------   ------   ------   ------
  Native Heap    12000    11000    13000    20000
        TOTAL    58463    36824   123456    20000

 App Summary
           TOTAL PSS:    58463            TOTAL RSS:   123456       TOTAL SWAP PSS:       62
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


def test_old_dump_without_thousands_separators() -> None:
    meminfo = parse_meminfo(MARSHMALLOW)
    assert (meminfo.total_kb, meminfo.free_kb, meminfo.used_kb) == (1893856, 608612, 1242716)
    assert (meminfo.lost_kb, meminfo.status) == (-4728, "moderate")
    assert (meminfo.zram_physical_kb, meminfo.zram_swapped_kb) == (4004, 10008)
    assert meminfo.swap_total_kb == 520908
    assert meminfo.pss_kb == {"com.example.launcher": 111920 + 512, "system": 40010}


def test_resident_sizes_are_not_taken_for_proportional_ones() -> None:
    meminfo = parse_meminfo(ANDROID_14)
    assert meminfo.pss_kb == {"com.example.app": 252370}
    assert (meminfo.lost_kb, meminfo.swap_total_kb) == (None, None)


def test_vendors_second_column_is_skipped() -> None:
    text = MARSHMALLOW.replace("111920 kB:", "111920 kB:       0 kB:")
    assert parse_meminfo(text) == parse_meminfo(MARSHMALLOW)


def test_misplaced_separator_is_an_error() -> None:
    with pytest.raises(ParseError, match="thousands separators"):
        parse_meminfo(ANDROID_14.replace("5,862,088K", "5862,088K"))


def test_empty_dump_is_an_error() -> None:
    with pytest.raises(ParseError, match="neither totals nor processes"):
        parse_meminfo("Total PSS by process:\n")


def test_list_of_an_android_without_totals() -> None:
    meminfo = parse_meminfo("Total PSS by process:\n     512 kB: system (pid 9)\n")
    assert (meminfo.pss_kb, meminfo.total_kb) == ({"system": 512}, None)


def test_one_process() -> None:
    process = parse_process_meminfo(ONE_PROCESS)
    assert (process.pid, process.name) == (812, "com.example.app")
    assert (process.pss_kb, process.rss_kb) == (58463, 123456)


def test_one_process_of_an_old_android_has_no_resident_size() -> None:
    text = ONE_PROCESS.replace("TOTAL PSS:", "TOTAL:").replace("TOTAL RSS:   123456", "")
    assert parse_process_meminfo(text).pss_kb == 58463
    assert parse_process_meminfo(text).rss_kb is None


def test_two_totals_that_differ_are_an_error() -> None:
    with pytest.raises(ParseError, match="two different totals"):
        parse_process_meminfo(ONE_PROCESS.replace("TOTAL PSS:    58463", "TOTAL PSS:    58464"))


def test_process_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ParseError, match="0 processes instead of one"):
        parse_process_meminfo("No process found for: com.example.app\n")
