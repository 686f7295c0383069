"""`Chunks`: a table that is read in parts, and how estimators and transformers accept one as X."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any

import pandas as pd

# Methods whose first argument is X. Given chunks, those of `_BY_ROW` return chunks, and those of `_IN_MEMORY` raise an
# error.
_LEARNING = ("fit", "fit_transform")
_BY_ROW = (
    "predict",
    "predict_proba",
    "predict_log_proba",
    "predict_spread",
    "decision_function",
    "transform",
    "inverse_transform",
    "encode",
    "apply",
)
_IN_MEMORY = ("score", "decision_path", "staged_predict", "staged_predict_proba", "staged_rmse")
# Methods whose result has a column for each class.
_BY_CLASS = ("predict_proba", "predict_log_proba")
_MARK = "takes_chunks"


class Chunks(ABC):
    """A table in parts, each a pandas frame that fits in memory, which can be read any number of times.

    Iterating yields the frames in order, from the first row to the last; each iteration starts anew. No frame is
    empty.

    See Also
    --------
    tabrec.scale.FileChunks : A folder of parquet or CSV files.
    tabrec.scale.FrameChunks : Frames in memory.
    """

    @property
    @abstractmethod
    def schema(self) -> Mapping[str, Any]:
        """The dtype of each column by name, in order; it may differ between frames where values are missing."""

    @property
    @abstractmethod
    def n_rows(self) -> int | None:
        """Number of rows, None where it is not known before the table is read."""

    @abstractmethod
    def __iter__(self) -> Iterator[pd.DataFrame]:
        """Read the frames in order."""

    @abstractmethod
    def split(self, n_shards: int) -> Sequence[Chunks]:
        """Divide the table into at most `n_shards` tables of consecutive rows, in order."""

    @abstractmethod
    def apply(self, function: Callable[[pd.DataFrame], Any], columns: Sequence[str] | None = None) -> Chunks:
        """Apply a function to each frame when it is read; the function must return one row for each row.

        `columns` are the names of the columns if the function returns an array.
        """

    @abstractmethod
    def fit(self, estimator: Any, y: Any = None, **options: Any) -> Any:
        """Fit an estimator to this table; `y` names the column of the target. Returns the estimator."""


class TakesChunksMixin:
    """Let the methods of a class take `Chunks` for X.

    `fit` calls `Chunks.fit`, methods that return a result for each row return chunks, and other methods raise a
    TypeError. As for scikit-learn's `set_output`, the methods of a subclass are wrapped when it is defined.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for names, accept in ((_LEARNING, _learning), (_BY_ROW, _by_row), (_IN_MEMORY, _in_memory)):
            for name in names:
                method = getattr(cls, name, None)
                if inspect.isfunction(method) and not hasattr(method, _MARK):
                    wrapped = accept(method)
                    setattr(wrapped, _MARK, True)
                    setattr(cls, name, wrapped)


def _learning(method: Callable) -> Callable:
    @wraps(method)
    def learn(self: Any, X: Any, *arguments: Any, **options: Any) -> Any:
        if not isinstance(X, Chunks):
            return method(self, X, *arguments, **options)
        given = inspect.signature(method).bind_partial(self, X, *arguments, **options).arguments
        named = {name: value for name, value in list(given.items())[2:] if value is not None}
        fitted = X.fit(self, named.pop("y", None), **named)
        return fitted.transform(X) if method.__name__ == "fit_transform" else fitted

    return learn


def refuse_chunks(X: Any) -> None:
    """Raise a TypeError for chunks, where a table in memory is needed."""
    if isinstance(X, Chunks):
        raise TypeError(
            "Got a table in chunks, but this needs one in memory: pass rows of it, as chunks.sample(100_000)."
        )


def _in_memory(method: Callable) -> Callable:
    @wraps(method)
    def compute(self: Any, X: Any, *arguments: Any, **options: Any) -> Any:
        refuse_chunks(X)
        return method(self, X, *arguments, **options)

    return compute


def _by_row(method: Callable) -> Callable:
    @wraps(method)
    def compute(self: Any, X: Any, *arguments: Any, **options: Any) -> Any:
        if not isinstance(X, Chunks):
            return method(self, X, *arguments, **options)
        classes = getattr(self, "classes_", None) if method.__name__ in _BY_CLASS else None
        names = None if classes is None else [str(label) for label in classes]
        return X.apply(lambda frame: method(self, frame, *arguments, **options), names)

    return compute
