"""Write tables in chunks as parquet, and the predictions of models for them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from tabrec.saving.files import new_file, new_folder
from tabrec.tables.chunks import Chunks
from tabrec.tables.columns import is_table
from tabrec.tables.names import check_named
from tabrec.tables.progress import show_progress

_SUFFIXES = (".parquet", ".pq")


def predict_to(
    path: str | os.PathLike,
    model: Any,
    X: Any,
    *,
    method: str = "predict",
    keep: Sequence[str] = (),
    overwrite: bool = False,
) -> None:
    """Write the predictions of a model for a table in chunks to parquet, in the order of its rows.

    Parameters
    ----------
    path : str or path-like
        A file if it ends in ``.parquet`` or ``.pq``, otherwise a folder with a file for each chunk. It appears complete
        or not at all.
    model : estimator
        A fitted model.
    X : FileChunks, FrameChunks or table
        The rows to predict.
    method : str, default="predict"
        The method of the model that predicts, such as "predict_proba".
    keep : sequence of str, default=()
        Columns of X to write before the predictions, such as ids.
    overwrite : bool, default=False
        Whether to replace a file of that name. Folders are not replaced.

    See Also
    --------
    FileChunks : Tables in files.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from tabrec import ForestRegressor
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.scale import FrameChunks, predict_to
    >>> sales = make_auctions(500, random_state=0)
    >>> chunks = FrameChunks([sales[:200], sales[200:]])
    >>> forest = ForestRegressor(5, random_state=0).fit(chunks, "SalePrice")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     predict_to(Path(folder) / "prices.parquet", forest, chunks, keep=["SalesID"])
    ...     prices = pd.read_parquet(Path(folder) / "prices.parquet")
    >>> prices.columns.tolist(), len(prices)
    (['SalesID', 'prediction'], 500)
    """
    from tabrec.scale.frames import FrameChunks

    chunks = X if isinstance(X, Chunks) or not is_table(X) else FrameChunks([X])
    if not isinstance(chunks, Chunks):
        raise TypeError(f"X must be chunks or a table, but got {type(X).__name__}.")
    kept = check_named("keep", keep, list(chunks.schema))
    predict = getattr(model, method)

    def compute(frame: pd.DataFrame) -> pd.DataFrame:
        predicted = predict(FrameChunks([frame])).head(len(frame))
        return pd.concat([frame[kept].reset_index(drop=True), predicted], axis=1)

    write_parquet(chunks.apply(compute), path, overwrite=overwrite)


def write_parquet(chunks: Chunks, path: str | os.PathLike, *, overwrite: bool = False) -> None:
    """Write a table to one file, or to a folder with a file for each chunk."""
    total = chunks.n_rows
    with show_progress("Writing rows", total) as progress:
        if Path(path).suffix in _SUFFIXES:
            with new_file(path, overwrite=overwrite) as file:
                _write_file(file, chunks, progress)
            return
        with new_folder(path) as folder:
            for position, frame in enumerate(chunks):
                _write_file(folder / f"part-{position:05d}.parquet", [frame], progress)


def _write_file(path: Path, frames: Iterable[pd.DataFrame], progress: Any) -> None:
    writer = None
    try:
        for frame in frames:
            table = pa.Table.from_pandas(_plain(frame), preserve_index=False)
            if writer is None:
                writer = pa.parquet.ParquetWriter(path, table.schema)
            writer.write_table(table if table.schema == writer.schema else table.cast(writer.schema))
            progress.advance(len(frame))
    finally:
        if writer is not None:
            writer.close()


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Convert categories of text to text, because every chunk has its own categories."""
    text = [name for name, dtype in frame.dtypes.items() if isinstance(dtype, pd.CategoricalDtype)]
    return frame.astype({name: frame[name].cat.categories.dtype for name in text}) if text else frame
