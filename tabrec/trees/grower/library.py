"""Functions and structures of the compiled library, declared for ctypes."""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np

from tabrec.tables.compiled import find_compiled

_OUT_OF_MEMORY = 1


class Settings(ctypes.Structure):
    """Parameters of one tree, as `grower::Settings`."""

    _fields_ = (
        ("criterion", ctypes.c_int32),
        ("n_classes", ctypes.c_int32),
        ("max_features", ctypes.c_int64),
        ("min_samples_split", ctypes.c_int64),
        ("min_samples_leaf", ctypes.c_int64),
        ("max_depth", ctypes.c_int64),
        ("max_leaves", ctypes.c_int64),
        ("min_weight_leaf", ctypes.c_double),
        ("min_impurity_decrease", ctypes.c_double),
        ("total_weight", ctypes.c_double),
        *((name, ctypes.c_void_p) for name in ("monotonic", "outputs", "classes_of_outputs")),
        ("stop", ctypes.c_void_p),
        ("seed", ctypes.c_uint32),
        ("is_packed", ctypes.c_int32),
        ("n_outputs", ctypes.c_int32),
        ("has_random_splits", ctypes.c_int32),
    )


class FittedTree(ctypes.Structure):
    """The arrays of a tree of scikit-learn, as `grower::FittedTree`."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("left", "right", "feature", "threshold", "value")),
        ("step", ctypes.c_int64),
        ("n_nodes", ctypes.c_int64),
    )


class Matrix(ctypes.Structure):
    """A float32 matrix, as `grower::Matrix`."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("row_step", ctypes.c_int64),
        ("column_step", ctypes.c_int64),
        ("n_columns", ctypes.c_int64),
    )

    @classmethod
    def of(cls, matrix: np.ndarray) -> Matrix:
        """View a matrix, which must outlive the view."""
        row_step, column_step = (stride // matrix.itemsize for stride in matrix.strides)
        return cls(matrix.ctypes.data, row_step, column_step, matrix.shape[1])


def load_functions() -> ctypes.CDLL:
    """Return the functions of the compiled library; raises a RuntimeError if there is none."""
    functions = find_compiled().functions
    if functions is None:
        raise RuntimeError("The compiled library is not there.")
    return _declare(functions)


@cache
def _declare(functions: ctypes.CDLL) -> ctypes.CDLL:
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    settings, out = ctypes.POINTER(Settings), ctypes.POINTER(ctypes.c_void_p)
    trees, matrix = ctypes.POINTER(FittedTree), ctypes.POINTER(Matrix)
    signatures = {
        "grower_encode": (ctypes.c_int32, [pointer, number, ctypes.c_int32, number, number, out]),
        "grower_free_codes": (None, [pointer]),
        "grower_grow": (ctypes.c_int32, [pointer, settings, pointer, pointer, out]),
        "grower_free_nodes": (None, [pointer]),
        "grower_count": (number, [pointer]),
        "grower_depth": (number, [pointer]),
        "grower_write": (None, [pointer, pointer, number, pointer, pointer]),
        "grower_find_leaves": (ctypes.c_int32, [trees, matrix, pointer, number, pointer]),
        "grower_find_leaves_of_codes": (ctypes.c_int32, [pointer, trees, pointer, number, pointer]),
        "grower_add_predictions": (ctypes.c_int32, [trees, number, number, matrix, number, number, pointer]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(functions, name)
        function.restype, function.argtypes = result, arguments
    return functions


def check_memory(outcome: int, what: str) -> None:
    """Raise if a function of the library ran out of memory."""
    if outcome == _OUT_OF_MEMORY:
        raise MemoryError(f"There is not enough memory to {what}: lower max_samples or n_jobs, or pass fewer rows.")
