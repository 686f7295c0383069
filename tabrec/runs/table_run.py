"""`TableRun`: a model trained on a table, with its scores."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from tabrec.datasets import NoHeaderError, read_table
from tabrec.preprocess import TabularPreprocessor
from tabrec.runs.hold_out import hold_out
from tabrec.runs.run import Run
from tabrec.runs.submission import as_submission, name_probabilities
from tabrec.runs.table_target import rows_with_target, to_model_target
from tabrec.runs.trained_table import check_trained_table, find_trained_table, recorded_options
from tabrec.tables.copies import clone_for_refit
from tabrec.tables.names import check_has_column


class TableRun(Run):
    """A model trained on a table, with its scores; `train` makes it and `Run.open` opens it.

    Attributes
    ----------
    model : estimator
        The model, fitted to all rows, or to the training rows without `refit`.
    metadata : dict
        The target, the task, whether the logarithm of the target was learned, the columns read as text, the options of
        `train`, the numbers of rows, the scores of each fold and the leaderboard.
    metrics : dict of str to dict of str to float
        Scores of a model fitted to the training rows by set of rows ("train", "oob", "validation", "baseline") and
        metric; "folds" and "folds_error" are means over the folds and their standard errors. The baseline predicts the
        mean, or the class frequencies, of the training rows for every validation row.
    predictions : pandas.DataFrame or None
        `row`, `actual` and `predicted` of the validation rows, in the units of the target, by the model that the scores
        are of, and the probability of each class.

    See Also
    --------
    train : Train a model on a table.
    RatingRun : A recommender with its scores.
    """

    _key = "target"
    _other_kind = "which is not a model for tables: use `tabrec recommend`"

    @property
    def leaderboard(self) -> pd.DataFrame | None:
        """A row for each model compared by ``train(model="all")``, the best first; None for a run of one model.

        The columns are `model`, the metric, its `standard_error` (over the folds, or over the validation rows by the
        bootstrap), and `fit_seconds` and `predict_seconds` of one fit.
        """
        rows = self.metadata.get("leaderboard")
        return None if rows is None else pd.DataFrame(rows)

    def predict(
        self,
        frame: pd.DataFrame,
        *,
        id_column: str | None = None,
        proba: bool = False,
        decimals: int | None = None,
        sample: str | os.PathLike | pd.DataFrame | None = None,
    ) -> pd.DataFrame:
        """Predict every row of a raw table.

        Parameters
        ----------
        frame : pandas.DataFrame
            Table with the columns that the model was trained on.
        id_column : str, default=None
            Column to put before the predictions. None takes the first column of `sample`; without `sample`, the rows
            are numbered.
        proba : bool, default=False
            Whether to return the probability of each class, in columns named ``probability_<class>``, instead of the
            most probable class.
        decimals : int, default=None
            Number of decimals to round to. None does not round.
        sample : str, path-like or pandas.DataFrame, default=None
            Sample submission of a competition: the columns are named as there, and checked by `check_submission`. With
            `proba`, one column besides the ids is the probability of the last class, and several are the classes.

        Returns
        -------
        pandas.DataFrame
            The id (or `row`) and the target, in the units of the target, or the probabilities.
        """
        if proba and self.metadata["task"] != "classification":
            raise ValueError(f"proba=True requires classes, but {self.metadata['target']!r} is a number.")
        if decimals is not None and not proba and self.metadata["task"] == "classification":
            raise ValueError(f"decimals={decimals} requires numbers: probabilities (proba=True) or a regression.")
        if sample is not None:
            sample = sample if isinstance(sample, pd.DataFrame) else read_table(sample)
            id_column = sample.columns[0] if id_column is None else id_column
        if id_column is not None:
            check_has_column(id_column, frame.columns, "ids")
        ids = np.arange(len(frame)) if id_column is None else frame[id_column].to_numpy()
        if proba:
            values = name_probabilities(self.model.classes_, self.model.predict_proba(frame))
        else:
            values = {self.metadata["target"]: self.inverse_target(self.model.predict(frame))}
        if decimals is not None:
            values = {name: np.round(column, decimals) for name, column in values.items()}
        predictions = pd.DataFrame({id_column or "row": ids, **values})
        return predictions if sample is None else as_submission(predictions, sample)

    def inverse_target(self, y: np.ndarray) -> np.ndarray:
        """Map values that the model predicts to the units of the target.

        Parameters
        ----------
        y : ndarray
            Predictions of the model.

        Returns
        -------
        ndarray
            Their exponentials if the model learned the logarithm of the target, else `y`.
        """
        return np.exp(y) if self.metadata["log_target"] else np.asarray(y)

    def read_table(self, path: str | os.PathLike, **options: Any) -> pd.DataFrame:
        """Read a table, each column as text or as numbers as it was in training.

        The format of the file is detected, and may differ from that of the training file. A file without a header is
        given the column names of the training file, with or without the target. If the values do not show the decimal
        mark, that of the training file is used.

        Parameters
        ----------
        path : str or path-like
            A file that `tabrec.datasets.read_table` reads.
        **options
            Options of `tabrec.datasets.read_table`.

        Returns
        -------
        pandas.DataFrame
            The table.
        """
        metadata = self.metadata
        # Runs of older versions record fewer columns.
        options = {
            "text_columns": metadata["text_columns"],
            "number_columns": metadata.get("number_columns", []),
            **options,
            "date_formats": metadata.get("date_formats", {}) | options.get("date_formats", {}),
        }
        try:
            frame = read_table(path, **options)
        except NoHeaderError as error:
            names = recorded_options(metadata).get("names", [])
            names = names if len(names) == error.n_fields else [name for name in names if name != metadata["target"]]
            if len(names) != error.n_fields:
                raise
            options["names"] = names
            frame = read_table(path, **options)
        if frame.attrs.get("decimal", ".") is None and metadata.get("decimal") == ",":
            return read_table(path, **{**options, "decimal": ","})
        return frame

    def split(self, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Repeat the split of `train` on the table that it was given.

        Parameters
        ----------
        frame : pandas.DataFrame
            The table that the run was trained on.

        Returns
        -------
        y : ndarray of shape (n_rows,)
            The target as the model learned it.
        train_rows, valid_rows : ndarray of int
            Positions of the rows that the model was trained and validated on.
        """
        metadata = self.metadata
        y = to_model_target(frame[metadata["target"]], metadata["task"], metadata["log_target"])
        # Runs of older versions record fewer options.
        options = {name: metadata.get(name) for name in ("time_column", "valid_from", "date_format")}
        X = frame.drop(columns=metadata["target"])
        return y, *hold_out(X, **options, random_state=metadata["random_state"])

    def refit(self, frame: pd.DataFrame) -> TableRun:
        """Fit the model to all rows of its table, as `train` does by default after it has scored the model.

        The scores stay those of the model before, which had not seen the validation rows.

        Parameters
        ----------
        frame : pandas.DataFrame
            The table that the run was trained on.

        Returns
        -------
        TableRun
            This run.
        """
        y = self.split(frame)[0]
        self.model = clone_for_refit(self.model).fit(frame.drop(columns=self.metadata["target"]), y)
        self.metadata["refit"] = True
        return self

    def _report(self, table: str | os.PathLike | None, new: Any, verbose: Any) -> Any:
        from tabrec.interpret import report

        metadata = self.metadata
        if metadata.get("chunks"):
            raise ValueError(
                f"{self.folder} was trained on a table in chunks: explain its model on rows of it, in Python: "
                "tabrec.interpret.report(run.model, X, y)."
            )
        path = find_trained_table(metadata, self.folder, table)
        frame = rows_with_target(self.read_table(path, **recorded_options(metadata)), metadata["target"])
        check_trained_table(frame, path, metadata, self.folder)
        X_new = new if new is None or isinstance(new, pd.DataFrame) else self.read_table(new)
        if X_new is not None:
            self.preprocessor.transform(X_new)  # an invalid path raises an error before the model is fitted
        X = frame.drop(columns=metadata["target"])
        y, train_rows, valid_rows = self.split(frame)
        model = self.model
        if metadata.get(
            "refit", False
        ):  # the report needs a model that has not seen the validation rows; runs of older versions are not refitted
            model = clone(model).fit(X.iloc[train_rows], y[train_rows])
        name = f"log of {metadata['target']}" if metadata["log_target"] else metadata["target"]
        return report(
            model,
            X.iloc[train_rows],
            y[train_rows],
            X.iloc[valid_rows],
            y[valid_rows],
            X_new=X_new,
            target=name,
            title=f"{self._title} for {name}",
            random_state=metadata["random_state"],
            verbose=verbose,
        )

    @property
    def preprocessor(self) -> TabularPreprocessor:
        """The fitted preprocessor of the model, or of the first member of an ensemble: all read columns alike."""
        model = self.model
        return (model if hasattr(model, "preprocessor_") else model.estimators_[0]).preprocessor_
