"""`TargetColumn`: the target of a table in chunks, by the name of a column or as a function of one."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tabrec.tables.names import check_has_column

_FUNCTIONS: dict[str, Any] = {"log": np.log, "log1p": np.log1p, "sqrt": np.sqrt}
_CALL = re.compile(r"(\w+)\((.+)\)")


@dataclass(frozen=True)
class TargetColumn:
    """A column, and the function of it that is predicted, "" for the column itself."""

    column: str
    function: str = ""

    @classmethod
    def parse(cls, y: Any, columns: Collection[str]) -> TargetColumn:
        """Read ``"SalePrice"`` or ``"log(SalePrice)"``."""
        if not isinstance(y, str):
            raise TypeError(
                f"y must be the name of a column of the chunks, or as 'log(price)', but got {type(y).__name__}."
            )
        call = None if y in columns else _CALL.fullmatch(y.strip())
        if call is None:
            check_has_column(y, columns, "target")
            return cls(y)
        function, column = call[1], call[2].strip()
        if function not in _FUNCTIONS:
            raise ValueError(f"y={y!r} applies {function!r}, but the functions are {', '.join(_FUNCTIONS)}.")
        check_has_column(column, columns, "target")
        return cls(column, function)

    def read(self, frame: pd.DataFrame, start: int, numeric: bool) -> np.ndarray:
        """Return the target of a chunk that starts at row `start`; missing values raise a ValueError."""
        values = frame[self.column]
        missing = values.isna().to_numpy()
        if missing.any():
            self._refuse(frame, start, missing, f"is missing in {int(missing.sum())} of {len(frame)} rows")
        array = np.asarray(values)
        if not numeric and not self.function:
            return array
        if array.dtype.kind not in "biuf":
            try:
                array = array.astype(np.float64)
            except (ValueError, TypeError):
                self._refuse(
                    frame, start, np.ones(1, bool), f"holds {values.iloc[0]!r}, but a regression needs numbers"
                )
        if not self.function:
            return array
        with np.errstate(invalid="ignore", divide="ignore"):
            computed = _FUNCTIONS[self.function](array.astype(np.float64))
        odd = ~np.isfinite(computed)
        if odd.any():
            self._refuse(frame, start, odd, f"holds {array[odd][0]}, of which {self.function} is not a number")
        return computed

    def _refuse(self, frame: pd.DataFrame, start: int, marked: np.ndarray, what: str) -> None:
        place = f" (in {frame.attrs['files']})" if "files" in frame.attrs else ""
        row = start + int(np.argmax(marked))
        raise ValueError(f"The target column {self.column!r} {what}{place}: the first is row {row} (counted from 0).")
