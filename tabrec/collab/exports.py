"""`Exports`: write the recommendations of all users, or an index of the items, to a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.base import BaseEstimator

from tabrec.collab.approximate import build_index
from tabrec.collab.reader import RatingsReader
from tabrec.saving.files import check_free_for_file, new_file

# Number of users whose recommendations are in memory at once.
_USERS = 2**14


class Exports(BaseEstimator):
    """Base of the recommenders that writes files for other programs."""

    _reader: RatingsReader

    def recommend_all(
        self, path: str | os.PathLike, n: int = 10, *, users: Any = None, overwrite: bool = False, **options: Any
    ) -> Path:
        """Write the recommendations of all users to a parquet file, in bounded memory.

        Parameters
        ----------
        path : str or path-like
            File to write. It appears once it is complete.
        n : int, default=10
            Number of items per user.
        users : array-like of ids, default=None
            The users; None takes all with ratings.
        overwrite : bool, default=False
            Whether to replace a file of that name.
        **options : Any
            Further parameters of `recommend`, such as `exclude_seen` and `candidates`, but not `context`.

        Returns
        -------
        pathlib.Path
            The file, with the columns that `recommend` returns.

        Raises
        ------
        FileExistsError
            The file exists, and `overwrite` is False.
        """
        if "context" in options:
            raise ValueError("recommend_all takes no context: it belongs to the moment of a recommendation.")
        check_free_for_file(path, overwrite=overwrite)
        model: Any = self
        asked = model.users_ if users is None else pd.Index(np.asarray(users))
        first = self._recommend_part(asked, 0, n, options)
        with new_file(path, overwrite=overwrite) as file, pq.ParquetWriter(file, first.schema) as writer:
            writer.write_table(first)
            for start in range(_USERS, len(asked), _USERS):
                writer.write_table(self._recommend_part(asked, start, n, options).cast(first.schema))
        return Path(path)

    def to_ann(self, path: str | os.PathLike, *, overwrite: bool = False) -> Path:
        """Write an index of the items for approximate search, for catalogues too large to score every item.

        Pass its path to `recommend` as `index`. Other programs read it with usearch: its keys are positions in
        `items_`, and its vectors are such that the greatest inner products with the vector of a user are the highest
        scores. `ImplicitALS`, `BPR` and ``DotProductBias(objective="ranking")`` have an index.

        Parameters
        ----------
        path : str or path-like
            File to write. It appears once it is complete.
        overwrite : bool, default=False
            Whether to replace a file of that name.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        ImportError
            usearch is not installed: ``pip install 'tabrec[ann]'``.
        NotImplementedError
            The model does not order items by inner products.
        FileExistsError
            The file exists, and `overwrite` is False.
        """
        check_free_for_file(path, overwrite=overwrite)
        model: Any = self
        scorer = model._searched_scorer()
        vectors = scorer.search_vectors("item", self._reader.items.known())
        with new_file(path, overwrite=overwrite) as file:
            build_index(vectors, file)
        return Path(path)

    def _recommend_part(self, users: pd.Index, start: int, n: int, options: dict[str, Any]) -> pa.Table:
        model: Any = self
        part = model.recommend(users[start : start + _USERS].to_numpy(), n, **options)
        return pa.Table.from_pandas(part, preserve_index=False)
