"""The types of arrays, by what they hold."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
Int8Array = np.ndarray[Any, np.dtype[np.int8]]
Int32Array = np.ndarray[Any, np.dtype[np.int32]]
IntArray = np.ndarray[Any, np.dtype[np.int64]]
Float32Array = np.ndarray[Any, np.dtype[np.float32]]
FloatArray = np.ndarray[Any, np.dtype[np.float64]]
UInt64Array = np.ndarray[Any, np.dtype[np.uint64]]
