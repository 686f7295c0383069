"""`Run`: a fitted model with its scores, kept together in a folder."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import pandas as pd

from tabrec.saving import load_with_metadata, save
from tabrec.saving.files import check_free, new_folder
from tabrec.saving.folder import CARD_FILE, find_other_file

MODEL_FOLDER = "model"
METRICS_FILE = "metrics.json"
PREDICTIONS_FILE = "predictions.csv"
# Files of the command line in the folder of a run.
SUBMISSION_FILE = "submission.csv"
REPORT_FILE = "report.html"
_FILES = {METRICS_FILE, PREDICTIONS_FILE, SUBMISSION_FILE, REPORT_FILE, CARD_FILE}


def check_free_for_run(folder: str | os.PathLike, *, overwrite: bool) -> None:
    """Raise a FileExistsError if a run cannot be saved to this path; only a run may be overwritten."""
    folder = Path(folder)
    if not overwrite or not folder.exists():
        check_free(folder)
        return
    if not (folder / MODEL_FOLDER).is_dir():
        raise FileExistsError(f"{folder} is not a run, so it is not overwritten: choose another path.")
    others = [entry.name for entry in folder.iterdir() if not (entry.is_file() and entry.name in _FILES)]
    others = [name for name in sorted(others) if name != MODEL_FOLDER]
    in_model = find_other_file(folder / MODEL_FOLDER)
    other = others[0] if others else in_model and f"{MODEL_FOLDER}/{in_model}"
    if other:
        raise FileExistsError(f"{folder} holds {other!r}, which is not of a run: move it away first.")


@dataclass
class Run:
    """A fitted model with its scores: a `TableRun`, a `RatingRun` or a `RankingRun`.

    Attributes
    ----------
    model : estimator
        The fitted model.
    metadata : dict
        The columns, options and sizes of the run, as JSON can hold them.
    metrics : dict of str to dict of str to float
        Scores by set of rows or by model, and metric. Empty when the folder has no ``metrics.json``.
    predictions : pandas.DataFrame or None
        `row`, `actual` and `predicted` of the validation rows. None when the folder has no ``predictions.csv``.
    folder : pathlib.Path or None
        The folder that the run was opened from or saved to.

    See Also
    --------
    train : Train a model on a table.
    rate : Train a recommender on ratings.
    rank : Train a recommender on interactions.
    tabrec.load : Load the model alone.
    """

    model: Any
    metadata: dict[str, Any]
    metrics: dict[str, dict[str, float]]
    predictions: pd.DataFrame | None
    folder: Path | None = None

    # The key of the metadata that only this kind of run has, and the error for a run of the other kind.
    _key: ClassVar[str] = ""
    _other_kind: ClassVar[str] = "without the metadata of a run"

    @classmethod
    def open(cls, folder: str | os.PathLike) -> Self:
        """Open a saved run; every file is read once.

        Parameters
        ----------
        folder : str or path-like
            A folder that `save` made, with this or an older version.

        Returns
        -------
        TableRun, RatingRun or RankingRun
            The run. `TableRun.open`, `RatingRun.open` and `RankingRun.open` accept only their own kind,
            `RecommenderRun.open` both kinds of recommenders.

        Raises
        ------
        FileNotFoundError
            The folder does not hold a run.
        ValueError
            The model was changed since it was saved, or the run is of the other kind.
        """
        folder = Path(folder)
        if not (folder / MODEL_FOLDER).is_dir():
            raise FileNotFoundError(f"{folder} does not hold a run: there is no folder {folder / MODEL_FOLDER}.")
        model, metadata = load_with_metadata(folder / MODEL_FOLDER)
        kinds = [kind for kind in cls._kinds() if kind._key in metadata]
        if not kinds:
            raise ValueError(f"{folder} holds {type(model).__name__}, {cls._other_kind}.")
        metrics, predictions = folder / METRICS_FILE, folder / PREDICTIONS_FILE
        return kinds[0](
            model,
            metadata,
            json.loads(metrics.read_text(encoding="utf-8"))["metrics"] if metrics.is_file() else {},
            pd.read_csv(predictions) if predictions.is_file() else None,
            folder,
        )

    @classmethod
    def _kinds(cls) -> list[type[Self]]:
        """This class and all that derive from it."""
        return [cls, *(kind for child in cls.__subclasses__() for kind in child._kinds())]

    def save(self, folder: str | os.PathLike, *, overwrite: bool = False) -> Path:
        """Write the run to a new folder: ``model/`` (see `tabrec.save`), ``metrics.json`` and ``predictions.csv``.

        Parameters
        ----------
        folder : str or path-like
            The folder to create. It appears complete or not at all.
        overwrite : bool, default=False
            Whether to replace a run that is there already.

        Returns
        -------
        pathlib.Path
            The folder.

        Raises
        ------
        FileExistsError
            The folder exists already, or is not a run that `overwrite` may replace.
        TypeError
            The model holds something that cannot be saved.
        """
        check_free_for_run(folder, overwrite=overwrite)
        # JSON has no NaN: a score that could not be computed is left out.
        metrics = {name: {k: v for k, v in scores.items() if v == v} for name, scores in self.metrics.items()}
        with new_folder(folder, overwrite=overwrite) as new:
            save(self.model, new / MODEL_FOLDER, metadata=self.metadata)
            text = json.dumps({**self.metadata, "metrics": metrics}, indent=2)
            (new / METRICS_FILE).write_text(text + "\n", encoding="utf-8")
            if self.predictions is not None:
                self.predictions.to_csv(new / PREDICTIONS_FILE, index=False)
        self.folder = Path(folder)
        return self.folder

    def explain(
        self,
        *,
        table: str | os.PathLike | None = None,
        new: str | os.PathLike | pd.DataFrame | None = None,
        verbose: bool | int | str = "auto",
    ) -> Any:
        """Explain the model on one page.

        Parameters
        ----------
        table : str or path-like, default=None
            The table of the run, if it was moved. Ignored by recommenders, which keep their ratings.
        new : str, path-like or pandas.DataFrame, default=None
            A table of the newest rows, to compare the training rows with. Ignored by recommenders.
        verbose : bool, int or "auto", default="auto"
            Whether to show the progress; "auto" does so in terminals and notebooks.

        Returns
        -------
        tabrec.interpret.Report
            The page, with its findings.

        Raises
        ------
        FileNotFoundError
            The table has been moved or deleted.
        ValueError
            The table is not the one that the run was trained on.
        """
        return self._report(table, new, verbose)

    def _report(self, table: str | os.PathLike | None, new: Any, verbose: Any) -> Any:
        raise NotImplementedError

    @property
    def _title(self) -> str:
        return f"{self.folder.name if self.folder else 'run'}: {self.metadata['model']}"
