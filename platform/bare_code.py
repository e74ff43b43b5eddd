"""Code that kernels take in: optimised and made machine code in its callers alone.

numba does both for each function by itself, and again in each caller. What Python never calls needs
neither, which is a third of the time of a first run.
"""

from typing import Any, cast

from llvmlite.binding import parse_bitcode
from numba import _dynfunc  # type: ignore[attr-defined]  # numba's own, in C
from numba.core import codegen, compiler, compiler_machinery, typed_passes
from numba.core.compiler import CompileResult

_Library: Any = codegen.JITCodeLibrary
_Lowering: Any = typed_passes.NativeLowering
_Base: Any = compiler.CompilerBase
_pipelines: Any = compiler.DefaultPassBuilder
_register_pass: Any = compiler_machinery.register_pass
_result: Any = compiler.compile_result
_make_function: Any = _dynfunc.make_function


class _BareLibrary(_Library):  # type: ignore[misc]  # numba has no types
    """A module of LLVM that others link, and that no engine gets."""

    def serialize_using_object_code(self) -> tuple[str, str, bytes]:
        """Return what is kept: there is no object code."""
        return cast(tuple[str, str, bytes], self.serialize_using_bitcode())

    def _optimize_final_module(self) -> None:
        """Leave that to the callers; what is within one function has been done."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._verify_declare_only_symbols()
        self._finalized = True


@_register_pass(mutates_CFG=True, analysis_only=False)
class _BareLowering(_Lowering):  # type: ignore[misc]
    """Writes a function's code, which other code may take in from then on."""

    _name = "bare_lowering"

    def run_pass(self, state: Any) -> bool:
        """Do so; the function that comes out cannot be called, and stands for the code."""
        name = state.func_id.func_qualname
        state.library = _BareLibrary(state.targetctx.codegen(), name)
        state.flags.no_compile = True
        super().run_pass(state)
        state.library.finalize()
        lowered = state.cr
        stands = _stand_for(lowered.fndesc, lowered.env, state.library)
        state.targetctx.insert_user_function(stands, lowered.fndesc, [state.library])
        state.reload_init.extend(state.library._reload_init)
        state.cr = lowered._replace(cfunc=stands)
        return True


class BareCompiler(_Base):  # type: ignore[misc]
    """Compiles what only compiled code calls."""

    def define_pipelines(self) -> list[Any]:
        """Return numba's passes, of which the last is ours."""
        passes = _pipelines.define_nopython_pipeline(self.state)
        passes.passes = [
            (_BareLowering if step is typed_passes.NativeLowering else step, why)
            for step, why in passes.passes
        ]
        passes.finalize()
        return [passes]


def bare_of(context: Any, *parts: Any) -> CompileResult:
    """Return the compilation by ``BareCompiler`` that numba took apart, for *context*."""
    (name, _, code), description, environment, signature, *_, reload_init, _ = parts
    for reload in reload_init:
        reload()
    library = _BareLibrary(context.codegen(), name)
    library._final_module = parse_bitcode(code)
    library._finalize_final_module()
    return cast(
        CompileResult,
        _result(
            target_context=context,
            typing_context=context.typing_context,
            library=library,
            environment=environment,
            entry_point=_stand_for(description, environment, library),
            fndesc=description,
            signature=signature,
            objectmode=False,
            lifted=(),
            reload_init=reload_init,
        ),
    )


def set_environments(result: Any) -> None:
    """Tell *result*, compiled to be called, of the globals of the bare code that it took in."""
    for environment in result._find_referenced_environments():
        result.library.codegen.set_env(environment.env_name, environment)


def _stand_for(description: Any, environment: Any, library: Any) -> Any:
    """Return a function, which must not be called, for tables that are kept by function."""
    name = description.qualname.split(".")[-1]
    return _make_function(description.lookup_module(), name, "", 0, environment, (library,))
