"""The bundle's runner fulfils the contract, for all ABIs, with this host as the device."""

import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from droidloop.devices.android.runners.bundle_runner import BundleRunner
from droidloop.devices.fleets.model_job import Runner
from droidloop.platform.jobs import Outcome
from tests.contracts.local_device import LocalDevice
from tests.contracts.runner import RunnerContract, failed, ran, score_job
from tests.phone.made import bundle

ARM_PROCESSOR = """processor	: 0
Features	: fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x0
CPU part	: 0xd03
CPU revision	: 4

"""
on_x86_64 = pytest.mark.skipif(platform.machine() != "x86_64", reason="needs an x86_64 host")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder for a device's files, one for all tests: the bundle is unpacked there once."""
    return str(tmp_path_factory.mktemp("device") / "droidloop")


@on_x86_64
class TestBundleRunnerOnX86(RunnerContract):
    @pytest.fixture
    def runner(self, root: str) -> Iterator[Runner]:
        yield BundleRunner(LocalDevice(), bundle("x86_64"), root=root)
        assert list(Path(root, "jobs").iterdir()) == []

    def test_only_the_job_travels_when_the_rest_is_there(self, root: str) -> None:
        device = LocalDevice()
        runner = BundleRunner(device, bundle("x86_64"), root=root)
        first, second = ran(runner, score_job("scorer_d8")), ran(runner, score_job("scorer_d8"))
        device.pushed.clear()
        third = ran(BundleRunner(device, bundle("x86_64"), root=root), score_job("scorer_d8"))
        assert [Path(path).name for path in device.pushed] == ["job.bin"]
        assert third.sent_bytes == second.sent_bytes <= first.sent_bytes

    def test_a_damaged_bundle_is_sent_again(self, tmp_path: Path) -> None:
        device, packed = LocalDevice(), bundle("x86_64")
        root = tmp_path / "device"
        BundleRunner(device, packed, root=str(root)).install()
        (library,) = root.glob("*/lib/libm.so.6")
        library.write_bytes(library.read_bytes()[:-1] + b"?")
        device.pushed.clear()
        ran(BundleRunner(device, packed, root=str(root)), score_job("scorer_d8"))
        assert f"{root}/{packed.sha256}.tar.gz" in device.pushed

    @pytest.mark.parametrize("lost", ["*/lib", "files"])
    def test_what_somebody_removed_is_sent_again_for_the_job_that_needs_it(
        self, tmp_path: Path, lost: str
    ) -> None:
        """As after a phone has started anew, or was cleaned by hand."""
        root = tmp_path / "device"
        runner = BundleRunner(LocalDevice(), bundle("x86_64"), root=str(root))
        ran(runner, score_job("scorer_d8"))
        (folder,) = root.glob(lost)
        shutil.rmtree(folder)
        ran(runner, score_job("scorer_d8"))

    def test_a_bundle_that_would_fit_only_packed_is_not_sent(self, tmp_path: Path) -> None:
        packed = bundle("x86_64")
        free_kib = (packed.path.stat().st_size + packed.unpacked_bytes) // 1024 - 1
        df = tmp_path / "small"
        df.write_text(
            "#!/bin/sh\necho 'Filesystem 1K-blocks Used Available Use% Mounted on'\n"
            f"echo '/dev/a 90000 1000 {free_kib} 12% /'\n"
        )
        df.chmod(0o755)
        device = LocalDevice({"df": str(df)})
        failure = failed(
            BundleRunner(device, packed, root=str(tmp_path / "device")), score_job("scorer_d8")
        )
        assert failure.outcome is Outcome.FAILED_STORAGE
        assert "bytes, unpacked, do not fit into the" in failure.message
        assert device.pushed == []

    def test_clean_leaves_nothing(self, tmp_path: Path) -> None:
        root = tmp_path / "device"
        runner = BundleRunner(LocalDevice(), bundle("x86_64"), root=str(root))
        ran(runner, score_job("scorer_d8"))
        runner.clean()
        assert not root.exists()
        ran(runner, score_job("scorer_d8"))

    @pytest.mark.parametrize("kills_late", [False, True])
    def test_a_runner_that_stands_still_is_ended_from_outside(
        self, tmp_path: Path, kills_late: bool
    ) -> None:
        """Its alarm does not ring while it is stopped; Android's adbd ends it with its stream."""
        instead = {"ld-linux-x86-64.so.2": str(_stopper(tmp_path))}
        stopping = LocalDevice(instead, kills_late=kills_late)
        runner = BundleRunner(stopping, bundle("x86_64"), root=str(tmp_path / "device"), grace_s=1)
        failure = failed(runner, score_job("scorer_d8", timeout_s=1))
        stopping.close()
        assert failure.outcome is Outcome.FAILED_TIMEOUT
        assert failure.message == "the runner did not finish in 1 s and was ended"

    def test_an_answer_that_does_not_arrive_is_the_links_fault(self, tmp_path: Path) -> None:
        silent = LocalDevice({"ld-linux-x86-64.so.2": str(_silent(tmp_path))})
        runner = BundleRunner(silent, bundle("x86_64"), root=str(tmp_path / "device"), grace_s=1)
        failure = failed(runner, score_job("scorer_d8", timeout_s=1))
        silent.close()
        assert failure.outcome is Outcome.FAILED_LINK
        assert failure.message.startswith("the runner's answer did not arrive: ")


def _stopper(folder: Path) -> Path:
    """Write a program that stops itself in the place of what it is given."""
    path = folder / "stop"
    path.write_text("#!/bin/sh\nkill -STOP $$\n")
    path.chmod(0o755)
    return path


def _silent(folder: Path) -> Path:
    """Write a program that leaves a result and stays: its shell never says so."""
    path = folder / "silent"
    path.write_text("#!/bin/sh\necho '{}' >result.json\nsleep 30\n")
    path.chmod(0o755)
    return path


def _emulated(folder: Path, program: str, loader: str, processor: str) -> LocalDevice:
    """Return this host as a device of another processor, on which *program* runs the bundle."""
    emulator = shutil.which(program)
    if emulator is None:
        pytest.skip(f"needs {program}: .ci/packages.sh .ci/phone-packages")
    # The emulator shows the program this host's /sys and /proc/cpuinfo, in which the library
    # that asks for the processor's features gets lost: lay those of a phone over them.
    processors = folder / "prefix/sys/devices/system/cpu"
    processors.mkdir(parents=True)
    for name in ("kernel_max", "possible", "present"):
        (processors / name).write_text("0\n")
    (folder / "prefix/proc").mkdir()
    (folder / "prefix/proc/cpuinfo").write_text(ARM_PROCESSOR)
    return LocalDevice(
        {loader: emulator}, QEMU_LD_PREFIX=str(folder / "prefix"), QEMU_CPU=processor
    )


class TestBundleRunnerOnArm64(RunnerContract):
    same_instructions = False
    limits_memory = False

    @pytest.fixture
    def runner(self, root: str, tmp_path: Path) -> Runner:
        device = _emulated(tmp_path, "qemu-aarch64-static", "ld-linux-aarch64.so.1", "cortex-a53")
        return BundleRunner(device, bundle("arm64"), root=f"{root}-arm64")


class TestBundleRunnerOnArm(RunnerContract):
    """32 bits and TensorFlow Lite 2.14, on the processor of a phone of 2013."""

    same_instructions = False
    limits_memory = False
    int8 = "scorer_w8"

    @pytest.mark.parametrize("name", ["scorer_w8"])
    def test_int8_outputs_are_exactly_the_hosts(self, runner: Runner, name: str) -> None:
        super().test_int8_outputs_are_exactly_the_hosts(runner, name)

    def test_what_it_would_compute_wrongly_is_refused(self, runner: Runner) -> None:
        failure = failed(runner, score_job("scorer_d8"))
        assert failure.outcome is Outcome.REFUSED_RUNTIME
        assert failure.message == (
            "model: TensorFlow Lite 2.14 computes dynamic int8 by channel wrongly"
        )

    @pytest.fixture
    def runner(self, root: str, tmp_path: Path) -> Runner:
        device = _emulated(tmp_path, "qemu-arm-static", "ld-linux-armhf.so.3", "cortex-a7")
        return BundleRunner(device, bundle("arm"), root=f"{root}-arm")
