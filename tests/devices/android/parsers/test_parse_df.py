import pytest

from droidloop.devices.android.errors import ParseError
from droidloop.devices.android.parsers.df import mount_of, parse_df

TOYBOX = """Filesystem     1K-blocks    Used Available Use% Mounted on
rootfs           1000000  400000    600000  40% /
/dev/block/dm-5  5000000 1000000   4000000  20% /data
tmpfs                  0       0         0    - /mnt with space
"""
TOOLBOX = """Filesystem               Size     Used     Free   Blksize
/data                    1.5G   512.0M     1.0G   4096
/secret: Permission denied
/gone                   -1.0K    -1.0K    -1.0K   1024
"""
HUMAN = "Filesystem Size Used Avail Use% Mounted on\n/dev/root 2.0G 1.5G 512M 75% /\n"


def test_path_belongs_to_the_longest_mount_above_it() -> None:
    mounts = parse_df(TOYBOX)
    data = mount_of(mounts, "/data/local/tmp")
    assert (data.path, data.total_bytes, data.free_bytes) == ("/data", 5120000000, 4096000000)
    assert data.exact
    assert mount_of(mounts, "/database").path == "/"
    assert mount_of(mounts, "/mnt with space/x").path == "/mnt with space"


def test_toolbox_rounds_and_leaves_out_what_is_not_mounted() -> None:
    (data,) = parse_df(TOOLBOX)
    assert (data.total_bytes, data.used_bytes, data.free_bytes) == (1610612736, 2**29, 2**30)
    assert not data.exact


def test_human_units_of_toybox() -> None:
    (root,) = parse_df(HUMAN)
    assert (root.total_bytes, root.free_bytes, root.exact) == (2**31, 2**29, False)


def test_blocks_of_other_sizes() -> None:
    head, rows = TOYBOX.split("\n", 1)
    small = parse_df(head.replace("1K-blocks", "512-blocks") + "\n" + rows)
    assert small[1].total_bytes == 2560000000


def test_long_name_on_a_line_of_its_own() -> None:
    wrapped = TOYBOX.replace("/dev/block/dm-5  ", "/dev/block/a-very-long-name\n    ")
    assert mount_of(parse_df(wrapped), "/data").free_bytes == 4096000000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "df: /data: No such file or directory\n",
        "Filesystem Blocks Used Free Mounted on\n",
        TOYBOX.replace("4000000", "4.0G"),
        TOYBOX.replace("20%", "20"),
        TOOLBOX.replace("1.5G", "1.5X"),
        TOYBOX + "/dev/block/alone\n",
    ],
)
def test_other_text_is_an_error(text: str) -> None:
    with pytest.raises(ParseError, match="df"):
        parse_df(text)


def test_path_outside_all_mounts_is_an_error() -> None:
    with pytest.raises(ParseError, match="no file system for /sdcard"):
        mount_of(parse_df(TOOLBOX), "/sdcard")
