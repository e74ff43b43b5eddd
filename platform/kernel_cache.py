"""Compiled kernels, kept between runs: one file for what a kernel reaches and one signature.

numba's own cache looks at the file that a kernel stands in: it misses a change of what the kernel
calls, and compiles anew after one of a comment.
"""

import fcntl
import functools
import hashlib
import os
import pickle
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FunctionType
from typing import Any

import numba
from numba.core import serialize, types
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult

from .durable import reason_of
from .errors import UsageError
from .places import cache_folder
from .reach import reach_of

_KEEP_S = 86_400
"""What another state of the sources has compiled is removed after a day."""

_WAIT_S = 60.0
"""For a kernel that another process compiles: longer than any takes, unless that one is stopped."""

_dumps: Any = serialize.dumps
_named: Any = types.BaseNamedTuple
_folders: dict[Path, Path | None] = {}


class KernelCache(_Cache):
    """The compiled forms of one kernel; numba asks it before it compiles, and hands it results.

    Files lie beside the kernel's source in ``__pycache__``; in the user's cache folder where that
    is not writable; in ``NUMBA_CACHE_DIR``, where set. Where nothing is writable, one line says so.
    """

    def __init__(
        self, function: FunctionType, options: dict[str, Any], rebuilt: Callable[..., CompileResult]
    ) -> None:
        self._function = function
        self._options = options
        self._rebuilt = rebuilt
        self._enabled = True

    @property
    def cache_path(self) -> str | None:
        """The folder of the files; None where there is none."""
        folder = _folder_for(Path(self._function.__code__.co_filename).resolve().parent)
        return None if folder is None else str(folder)

    @contextmanager
    def alone(self, sig: Any, codegen: Any) -> Iterator[None]:
        """Keep other processes from compiling for *sig* what this one is about to compile.

        They wait, and read what it has kept; a process that is killed holds nobody back.
        """
        path = self._path(sig, codegen)
        if path is None or path.exists():
            yield
            return
        lock = path.with_suffix(".lock")
        descriptor = _locked(lock)
        try:
            yield
        finally:
            if descriptor is not None:
                lock.unlink(missing_ok=True)
                os.close(descriptor)

    def is_kept(self) -> bool:
        """Whether the kernel as it is now has been compiled for some types."""
        state, folder = self._state(), self.cache_path
        return folder is not None and any(Path(folder).glob(f"{self._stem()}-{state}-*.kernel"))

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return what was compiled for *sig*, or None."""
        path = self._path(sig, target_context.codegen())
        if path is None:
            return None
        target_context.refresh()
        try:
            payload = pickle.loads(path.read_bytes())
            return self._rebuilt(target_context, *payload)
        except FileNotFoundError:
            return None
        except Exception as error:  # whatever a damaged file makes of numba's reader
            _tell(f"{path}: cannot be used ({reason_of(error)})")
            return None  # compiled anew, and written over

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the compilation *data* for *sig*."""
        path = self._path(sig, data.codegen)
        if path is None or data.library.has_dynamic_globals or any(data.lifted):
            return
        blob = _dumps(data._reduce())
        try:
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
                file.write(blob)
            os.replace(file.name, path)
            self._forget_others(path)
        except OSError as error:  # a full disk, say: the next run compiles again
            _tell(f"{path.parent}: {error.strerror}")

    def enable(self) -> None:
        """Use the cache, as at first."""
        self._enabled = True

    def disable(self) -> None:
        """Neither load nor keep anything."""
        self._enabled = False

    def flush(self) -> None:
        """Do nothing: what is out of date is not found."""

    def _path(self, sig: Any, codegen: Any) -> Path | None:
        folder = self.cache_path
        if folder is None or not self._enabled:
            return None
        args = sig if isinstance(sig, tuple) else (*sig.args, sig.return_type)
        key = (numba.__version__, sys.version, codegen.magic_tuple(), [_told(one) for one in args])
        end = hashlib.blake2b(repr(key).encode(), digest_size=12).hexdigest()
        return Path(folder, f"{self._stem()}-{self._state()}-{end}.kernel")

    def _state(self) -> str:
        """Return a hash of the sources: of what the kernel reaches, and of what compiles it."""
        both = reach_of(self._function, self._options) + _compiled_by()
        return hashlib.blake2b(both.encode(), digest_size=12).hexdigest()

    def _stem(self) -> str:
        name = f"{Path(self._function.__code__.co_filename).stem}.{self._function.__qualname__}"
        return name.replace("<", "").replace(">", "")

    def _forget_others(self, path: Path) -> None:
        """Remove the files of this kernel that are not of its state, once they are old."""
        mine = path.name.rsplit("-", 1)[0]
        for other in path.parent.glob(f"{self._stem()}-*"):
            with suppress(FileNotFoundError):  # a lock that another process has just removed
                old = time.time() - other.stat().st_mtime > _KEEP_S
                if old and not other.name.startswith(mine):
                    other.unlink()


@functools.cache
def _compiled_by() -> str:
    """Return a hash of the code that compiles, keeps and reads kernels, comments included."""
    here = Path(__file__)
    made_by = [here.with_name(name) for name in ("bare_code.py", "law.py", here.name)]
    return hashlib.blake2b(b"".join(path.read_bytes() for path in made_by)).hexdigest()


def _locked(path: Path) -> int | None:
    """Return the open file whose lock is held; None where there are no locks, or after a while."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError:  # that nothing can be kept there is said when something is
        return None
    until_s = time.monotonic() + _WAIT_S
    while time.monotonic() < until_s:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            time.sleep(0.02)
        except OSError:
            break
    os.close(descriptor)
    return None


def _told(kind: Any) -> str:
    """Describe a type wholly: numba's own names leave out what a named tuple calls its fields."""
    inner: Any = ()
    if isinstance(kind, _named):
        inner = dict(zip(kind.fields, kind, strict=True))
    elif isinstance(kind, types.StructRef):
        inner = kind.field_dict
    return f"{kind} {[(name, _told(inner[name])) for name in inner]}"


def _folder_for(source: Path) -> Path | None:
    """Return a writable folder for the kernels of the folder *source*, or None, said once."""
    if source not in _folders:
        name = f"{source.name}-{hashlib.blake2b(bytes(source), digest_size=6).hexdigest()}"
        chosen = os.environ.get("NUMBA_CACHE_DIR")
        tried = [Path(chosen, name)] if chosen else [source / "__pycache__"]
        if not chosen:
            with suppress(UsageError):  # no home, so nothing can be kept there
                tried.append(cache_folder("kernels") / name)
        _folders[source] = next(filter(_writable, tried), None)
        if _folders[source] is None:
            _tell(f"{tried[-1]}: not writable")
    return _folders[source]


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


_told_once: set[str] = set()


def _tell(why: str) -> None:
    if not _told_once:
        _told_once.add(why)
        print(
            f"note: compiled kernels are not kept, so each run compiles anew: {why}; "
            "set NUMBA_CACHE_DIR to a folder with room",
            file=sys.stderr,
        )
