"""What a kernel really reaches: its bytecode, what it calls, and the constants that it takes in.

numba compiles bytecode, and freezes the globals that a kernel names. So a hash of both says when
compiled code is out of date: after a change of a callee's arithmetic or of a constant, and not
after one of a comment, a docstring, a line's place or an unrelated kernel.
"""

import dis
import enum
import functools
import hashlib
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

_GIVEN = ("builtins", "math", "numba", "numpy")
"""Modules whose functions numba knows by name; they change with numba's version alone."""


def reach_of(function: FunctionType, options: Mapping[str, Any]) -> str:
    """Return a hash of *function*, compiled with *options*, and of all that it reaches.

    Raises:
        TypeError: it takes in a global of which nobody can tell whether it has changed.
    """
    digest = hashlib.blake2b(digest_size=12)
    for word in _words_of_function(function, options, set()):
        digest.update(word.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()


def _words_of_function(
    function: FunctionType, options: Mapping[str, Any], seen: set[int]
) -> Iterator[str]:
    yield f"function {function.__qualname__} {sorted(options.items(), key=repr)}"
    if id(function) in seen:
        return
    seen.add(id(function))
    yield from _words_of_code(function.__code__, function.__doc__)
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    for value in (*cells, *(function.__defaults__ or ())):
        yield from _words(value, function, seen)
    for value in _globals_of(function.__code__, function.__globals__):
        yield from _words(value, function, seen)


def _words_of_code(code: CodeType, doc: str | None) -> Iterator[str]:
    """Tell what *code* does: neither where it stands nor what its docstring says."""
    yield f"{code.co_code.hex()} {code.co_names} {code.co_varnames} {code.co_freevars}"
    yield f"{code.co_argcount} {code.co_kwonlyargcount} {code.co_flags}"
    for number, value in enumerate(code.co_consts):
        if isinstance(value, CodeType):
            yield from _words_of_code(value, None)
        elif isinstance(value, frozenset):
            yield repr(sorted(value, key=repr))
        elif number > 0 or doc is None or value != doc:
            yield repr(value)


def _globals_of(code: CodeType, names: Mapping[str, Any]) -> Iterator[Any]:
    """Return the values of the globals that *code* loads; of modules, the members that it loads."""
    for name, *members in _loads(code):
        if name not in names:  # Python's own
            continue
        value = names[name]
        while members and _is_ours(value):
            value = getattr(value, members.pop(0))
        if not _is_ours(value):
            yield value


def _is_ours(value: Any) -> bool:
    """Whether *value* is a module whose members may change."""
    return isinstance(value, ModuleType) and value.__name__.split(".")[0] not in _GIVEN


@functools.cache
def _loads(code: CodeType) -> list[list[str]]:
    """Return the names of globals that *code* loads, with the attributes that it takes of each."""
    loads: list[list[str]] = []
    goes_on = False
    for step in dis.get_instructions(code):
        if isinstance(step.argval, CodeType):
            loads += _loads(step.argval)
            goes_on = False
        elif step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            loads.append([step.argval])
            goes_on = True
        elif goes_on and step.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            loads[-1].append(step.argval)
        else:
            goes_on = False
    return loads


def _words(value: Any, function: FunctionType, seen: set[int]) -> Iterator[str]:
    """Tell what *value*, which *function* takes in, is."""
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | np.generic):
        yield f"{type(value).__name__} {value!r}"
    elif isinstance(value, tuple | list):
        yield f"{type(value).__name__} {len(value)}"
        for one in value:
            yield from _words(one, function, seen)
    elif isinstance(value, np.ndarray):
        yield f"array {value.dtype.descr} {value.shape} {value.tobytes().hex()}"
    elif isinstance(value, np.dtype):
        yield f"dtype {value.descr}"
    elif _is_given(value):
        yield f"{type(value).__name__} {getattr(value, '__name__', None) or value}"
    elif isinstance(value, FunctionType):
        yield from _words_of_function(value, {}, seen)
    elif isinstance(getattr(value, "py_func", None), FunctionType):  # a kernel
        yield from _words_of_function(value.py_func, value.targetoptions, seen)
    elif isinstance(value, type):
        yield from _words_of_class(value)
    else:
        raise TypeError(
            f"kernel {function.__module__}.{function.__qualname__}: takes in a global of type "
            f"{type(value).__name__}; give it numbers, arrays, tuples, kernels or classes"
        )


def _words_of_class(value: type) -> Iterator[str]:
    if issubclass(value, enum.Enum):
        yield f"enum {[(one.name, one.value) for one in value]}"
    elif issubclass(value, tuple) and hasattr(value, "_fields"):
        yield f"tuple {value.__qualname__} {value._fields}"
    else:  # a structref's proxy: what it holds is told where it is registered, in its file
        source = Path(inspect.getfile(value)).read_bytes()
        yield f"class {value.__qualname__} {hashlib.blake2b(source).hexdigest()}"


def _is_given(value: Any) -> bool:
    """Whether *value* comes with Python, numpy or numba, whose version the caches know."""
    value = getattr(value, "py_func", value)
    if isinstance(value, ModuleType):
        module = value.__name__
    elif isinstance(value, type | FunctionType | BuiltinFunctionType):
        module = value.__module__
    else:  # one of numba's types, or one of numpy's functions; no dictionary or the like
        module = type(value).__module__
        return module.split(".")[0] in ("numba", "numpy")
    return module.split(".")[0] in _GIVEN
