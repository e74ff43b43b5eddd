"""What tables of float32 rows share: looking rows up, packing them, what that costs."""

import math
import struct

import numpy as np
import torch

from droidloop.models.interfaces.learning import Cost, EmbeddingTable, Params
from droidloop.platform.arrays import Array, Float32Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import PackageError

_HEADER = struct.Struct("<4sII")
_CHUNK_ROWS = 1 << 16


def look_up(table: EmbeddingTable, params: Params, ids: torch.Tensor) -> torch.Tensor:
    """Return the vectors of *ids*, shape ``ids.shape + (dim,)``; see ``EmbeddingTable.lookup``."""
    rows, parts = table.rows_of(ids.numpy()), table.computed(ids.numpy())
    for name, parameter in table.parameters.items():
        values = params[name]
        if name not in rows:
            parts[name] = values
        elif values.dim() == len(parameter.shape):
            picked = torch.from_numpy(rows[name])
            if values.dim() == 2:
                parts[name] = torch.nn.functional.embedding(picked, values)
            else:
                parts[name] = values[picked]
        else:
            phones = torch.arange(len(values)).reshape([-1] + [1] * (rows[name].ndim - 1))
            parts[name] = values[phones, torch.from_numpy(rows[name])]
    return table.compose(parts)


def beside(whole: torch.Tensor, rows: torch.Tensor, dims: int) -> torch.Tensor:
    """Return a parameter of *dims* axes that is read whole, shaped to meet *rows* (..., numbers).

    Of a stack that of a phone meets all of its rows.
    """
    if whole.dim() == dims:
        return whole
    return whole.reshape(len(whole), *[1] * (rows.dim() - 1 - dims), *whole.shape[1:])


def times(rows: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
    """Return *rows* (..., width) times *by* (width, numbers), or (phones, ...) of a stack.

    A matrix product, whose last bits depend on how many rows there are, only where *by* is trained.
    """
    by = beside(by, rows, 2)
    if by.requires_grad:
        return rows @ by
    return (rows[..., None] * (by.unsqueeze(-3) if by.dim() > 2 else by)).sum(-2)


def look_up_once(table: EmbeddingTable, params: Params, ids: torch.Tensor) -> torch.Tensor:
    """Return what ``look_up`` does, each id computed once: for tables that compute much."""
    first = next(iter(table.parameters))
    if params[first].dim() > len(table.parameters[first].shape) or ids.numel() <= 1:
        return look_up(table, params, ids)
    every, where = torch.unique(ids, return_inverse=True)
    return torch.nn.functional.embedding(where, look_up(table, params, every))


def every_vector(table: EmbeddingTable, params: Params) -> Float32Array:
    """Return the vectors of all ids, (n, dim); of stacked parameters (phones, n, dim)."""
    if own_rows(table):  # they are the rows, not copied
        [values] = (params[name] for name in table.parameters)
        return np.asarray(values.numpy(), np.float32)
    ids = torch.arange(table.n)
    for name, parameter in table.parameters.items():
        if params[name].dim() > len(parameter.shape):
            ids = torch.arange(table.n).expand(len(params[name]), table.n)
    with torch.no_grad():
        return np.asarray(table.lookup(params, ids).numpy(), np.float32)


def own_rows(table: EmbeddingTable) -> bool:
    """Return whether the vector of every id is, as it stands, the row of its number."""
    if not table.plain:
        return False
    [rows] = table.rows_of(np.arange(table.n)).values()
    return np.array_equal(rows, np.arange(table.n))


def float_bytes(table: EmbeddingTable) -> int:
    """Return four bytes for each number of each parameter."""
    return 4 * sum(math.prod(one.shape) for one in table.parameters.values())


def pack_floats(table: EmbeddingTable, magic: bytes, params: Params) -> bytes:
    """Return twelve bytes of header and the numbers of all parameters, little-endian float32.

    Raises:
        PackageError: a number is NaN or infinite.
    """
    parts = [
        finite(table, name, params[name]).astype("<f4", copy=False).tobytes()
        for name in table.parameters
    ]
    return headed(table, magic, b"".join(parts))


def finite(table: EmbeddingTable, name: str, tensor: torch.Tensor) -> Array:
    """Return the numbers of the parameter *name*.

    Raises:
        PackageError: one is NaN or infinite.
    """
    values: Array = tensor.detach().numpy()
    shape = table.parameters[name].shape
    if values.shape != shape:
        raise ValueError(f"table {name!r} is {shape}, not {values.shape}")
    flat = values.reshape(len(values), -1)
    broken = int(np.count_nonzero(~np.isfinite(flat).all(axis=1)))
    if broken:
        raise PackageError(
            f"table {name!r}: {broken} of {len(flat)} rows hold NaN or infinity; "
            "train with a smaller learning rate"
        )
    return values


def headed(table: EmbeddingTable, magic: bytes, data: bytes) -> bytes:
    """Return twelve bytes of header and *data*."""
    return _HEADER.pack(magic, table.n, table.dim) + data


def numbers_of(table: EmbeddingTable, magic: bytes, data: bytes) -> bytes:
    """Return what follows the header of *data*.

    Raises:
        PackageError: *data* is not what ``headed`` makes of as many bytes as *table* has.
    """
    wanted = _HEADER.pack(magic, table.n, table.dim)
    size = len(wanted) + table.nbytes
    if len(data) != size or data[: len(wanted)] != wanted:
        shapes = " and ".join(str(one.shape) for one in table.parameters.values())
        raise PackageError(
            f"table {table.name!r}: {len(data)} bytes are not a table of {table.n} vectors from "
            f"{shapes} numbers ({size} bytes); pack it again"
        )
    return data[len(wanted) :]


def unpack_floats(table: EmbeddingTable, magic: bytes, data: bytes) -> Params:
    """Return the parameters that *data* holds; see ``numbers_of``."""
    numbers, params, start = numbers_of(table, magic, data), {}, 0
    for name, parameter in table.parameters.items():
        count = math.prod(parameter.shape)
        values = np.frombuffer(numbers, "<f4", count, start).astype(np.float32)
        params[name] = torch.from_numpy(values.reshape(parameter.shape))
        start += 4 * count
    return params


def row_cost(
    table: EmbeddingTable, lookups: int | IntArray, flops_each: int, rows_each: int = 1
) -> Cost:
    """Return what looking up and training vectors takes, see ``EmbeddingTable.cost``.

    Of each look-up *flops_each*, and 12 bytes for each number of the *rows_each* rows that it reads
    of each parameter (read, read again and written). Of each row once: 16 bytes a number to copy
    it and to take the difference. In memory at once: the copied rows and the table, as it is
    trained or as it ships, whichever is larger.
    """
    count = np.asarray(lookups, np.int64)
    moved, ram = np.zeros_like(count), np.full_like(count, max(table.nbytes, float_bytes(table)))
    for parameter in table.parameters.values():
        read = rows_each * count
        touched = np.minimum(read, parameter.shape[0])
        moved += parameter.row_numbers * (12 * read + 16 * touched)
        ram += 4 * parameter.row_numbers * touched
    return Cost(lookups * flops_each, moved[()], ram[()])


def normal_rows(draws: Draws, rows: IntArray, dim: int, sd: float) -> Array:
    """Return float32 draws from N(0, *sd*), (len(rows), *dim*), each a function of its row."""
    out = np.empty((len(rows), dim), np.float32)
    columns = np.arange(dim)
    for start in range(0, len(rows), _CHUNK_ROWS):
        part = rows[start : start + _CHUNK_ROWS]
        out[start : start + len(part)] = draws.normal(part[:, None], columns) * sd
    return out
