"""How kernels and laws of physics are compiled.

numba wraps what it compiles for callers in Python, C and numba; unpacking a world for the first
two takes half the time of a compilation. So each kernel has two forms: a whole one, compiled when
Python calls it, and a bare one for other kernels. Both are kept between runs by what they reach.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType, MappingProxyType
from typing import Any, TypeVar, cast, overload

from numba.core import compiler_lock, sigutils, types
from numba.core.compiler import Compiler, CompileResult
from numba.core.registry import CPUDispatcher

from .bare_code import BareCompiler, bare_of, set_environments
from .kernel_cache import KernelCache

_Function = TypeVar("_Function", bound=Callable[..., Any])
_compiler_lock: Any = compiler_lock.global_compiler_lock
_types_of: Any = sigutils.normalize_signature
_BARE = {"no_cpython_wrapper": True}


class _Kept(CPUDispatcher):
    """A compiled function whose compiled forms outlive the process."""

    _compiler_class: Any = Compiler
    _rebuilt: Any = CompileResult._rebuild

    def __init__(
        self,
        py_func: FunctionType,
        locals: Any = MappingProxyType({}),  # noqa: A002  # numba's name
        targetoptions: Any = MappingProxyType({}),
    ) -> None:
        super().__init__(py_func, locals, dict(targetoptions), self._compiler_class)
        self._cache = KernelCache(py_func, self.targetoptions, self._rebuilt)

    def compile(self, sig: Any) -> Any:
        """Return the function for the types *sig*, read or compiled if need be."""
        args, _ = _types_of(sig)
        if tuple(args) in self.overloads:
            return super().compile(sig)
        context: Any = self.targetctx
        # numba's lock first: else one thread could hold it and wait for a kernel of another
        with _compiler_lock, self._cache.alone(sig, context.codegen()):
            return super().compile(sig)


class _Bare(_Kept):
    """The form that other kernels call."""

    _compiler_class = BareCompiler
    _rebuilt = staticmethod(bare_of)

    def get_call_template(self, args: Any, kws: Any) -> Any:
        """Resolve a call; a law is compiled once for all integers, not once a literal."""
        if not self.targetoptions.get("_nrt", True):
            args = tuple(map(_plain, args))
            kws = {name: _plain(kind) for name, kind in kws.items()}
        return super().get_call_template(args, kws)


class _Kernel(_Kept):
    """The form that Python calls; compiled code that names it gets the bare one."""

    def __init__(
        self,
        py_func: FunctionType,
        locals: Any = MappingProxyType({}),  # noqa: A002  # numba's name
        targetoptions: Any = MappingProxyType({}),
    ) -> None:
        super().__init__(py_func, locals, targetoptions)
        self._bare = _Bare(py_func, locals, {**targetoptions, **_BARE})

    def compile(self, sig: Any) -> Any:
        """Return the function for the types *sig*; it knows the globals of what it took in."""
        with _no_collection():
            entry = super().compile(sig)
        args, _ = _types_of(sig)
        set_environments(self.overloads[tuple(args)])
        return entry

    @property
    def _numba_type_(self) -> Any:
        return types.Dispatcher(self._bare)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Look for no garbage: compiling makes much that is alive, which takes a tenth of its time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _plain(kind: Any) -> Any:
    """Return int64 for all signed integers, and no literals."""
    untyped: Any = types
    kind = untyped.unliteral(kind)
    signed = isinstance(kind, untyped.Integer) and kind.signed
    return types.int64 if signed else kind


@overload
def kernel(function: _Function) -> _Function: ...
@overload
def kernel(*, error_model: str = ..., inline: str = ...) -> Callable[[_Function], _Function]: ...
def kernel(function: Any = None, **options: Any) -> Any:
    """Compile *function* as ``numba.njit`` does with *options*, without the interpreter lock.

    It is kept between runs, and compiled anew when something that it reaches has changed.
    """
    if function is None:
        return lambda function: _compiled(function, options)
    return _compiled(function, options)


def law(function: _Function) -> _Function:
    """Compile *function*, which reads and writes rows of its caller's arrays and allocates nothing.

    So numba need not count references to the arrays of a world at every call, which would
    take half the time of a job. A law that does allocate fails to compile.
    """
    return cast(_Function, _compiled(function, {"_nrt": False}))


def part(function: _Function) -> _Function:
    """Compile *function* as a law that is put into each law that calls it.

    A world is some hundred numbers to a compiler, and a call that passes one moves them all. Small
    laws are put into their callers by themselves; of those that every phone needs at every step
    this makes sure (row ``tasks``: twice as many tasks a second).
    """
    return cast(_Function, _compiled(function, {"_nrt": False, "forceinline": True}))


def is_kept(function: Any) -> bool:
    """Whether the kernel *function* has been compiled, by this process or an earlier one."""
    return bool(function.overloads) or function._cache.is_kept()


def _compiled(function: Any, options: dict[str, Any]) -> _Kernel:
    usual = {"nopython": True, "boundscheck": None, "nogil": True, "no_cfunc_wrapper": True}
    return _Kernel(function, targetoptions=usual | options)
