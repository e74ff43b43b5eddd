"""The ``.tflite`` file of a plain scorer, written as it stands: one operation needs no converter.

It is what litert-torch makes of ``exportable.Scorer``, whose import takes longer than most runs of
a scenario. Fields are those of TensorFlow Lite's ``schema.fbs``, as LiteRT's own package reads
and writes it.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from droidloop.platform.arrays import Float32Array

if TYPE_CHECKING:
    import flatbuffers

VERSION, IDENTIFIER = 3, b"TFL3"
FULLY_CONNECTED_VERSION = 5  # of the operation: the first that knows ``keepNumDims`` and no bias
NO_TENSOR, ALIGNED = -1, 16
_NAMES = ("score_user", "table", "score_scores")


def scorer_file(table: Float32Array, signature: str, user: str, scores: str) -> bytes:
    """Return the model that multiplies an input *user*, (1, dim), with *table*, (n, dim).

    Args:
        table: the constant.
        signature: the name by which it is run.
        user: the name of its input.
        scores: that of its output, (1, n).
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    n, dim = table.shape
    shapes = ((1, dim), (n, dim), (1, n))
    tensors = [
        _made(
            schema.TensorT, shape=np.array(shape, np.int32), buffer=k + 1, name=name, hasRank=True
        )
        for k, (shape, name) in enumerate(zip(shapes, _NAMES, strict=True))
    ]
    code = schema.BuiltinOperator.FULLY_CONNECTED
    operation = _made(
        schema.OperatorT,
        inputs=np.array([0, 1, NO_TENSOR], np.int32),
        outputs=np.array([2], np.int32),
        builtinOptionsType=schema.BuiltinOptions.FullyConnectedOptions,
        builtinOptions=_made(schema.FullyConnectedOptionsT, keepNumDims=True),
    )
    graph = _made(
        schema.SubGraphT,
        name="main",
        tensors=tensors,
        inputs=np.array([0], np.int32),
        outputs=np.array([2], np.int32),
        operators=[operation],
    )
    asked = _made(
        schema.SignatureDefT,
        signatureKey=signature,
        inputs=[_made(schema.TensorMapT, name=user, tensorIndex=0)],
        outputs=[_made(schema.TensorMapT, name=scores, tensorIndex=2)],
    )
    empty = schema.BufferT()
    model = _made(
        schema.ModelT,
        version=VERSION,
        operatorCodes=[
            _made(
                schema.OperatorCodeT,
                deprecatedBuiltinCode=code,
                builtinCode=code,
                version=FULLY_CONNECTED_VERSION,
            )
        ],
        subgraphs=[graph],
        buffers=[empty, empty, _Aligned(schema, table), empty],
        signatureDefs=[asked],
    )
    builder = flatbuffers.Builder(table.nbytes + 4096)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


class _Aligned:
    """A buffer of the model that begins where LiteRT may read it in place, as the schema has it."""

    def __init__(self, schema: Any, values: Float32Array) -> None:
        self._schema = schema
        self._data = np.ascontiguousarray(values, "<f4").tobytes()

    def Pack(self, builder: "flatbuffers.Builder") -> int:  # noqa: N802  the schema's own name
        """Write it; return where it stands."""
        builder.StartVector(1, len(self._data), ALIGNED)
        builder.head -= len(self._data)
        builder.Bytes[builder.head : builder.head + len(self._data)] = self._data
        data = builder.EndVector()
        self._schema.BufferStart(builder)
        self._schema.BufferAddData(builder, data)
        place: int = self._schema.BufferEnd(builder)
        return place


def _made(kind: Any, **fields: Any) -> Any:
    """Return an object of the schema with these *fields*."""
    one = kind()
    for name, value in fields.items():
        setattr(one, name, value)
    return one
