"""The real tables of `claims.py`: verdicts on columns beside refits without them, and the findings of the page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tabrec import ForestClassifier, ForestRegressor
from tabrec.interpret import report, try_dropping
from tabrec.interpret.page.consistency import find_contradictions
from tabrec.interpret.page.report_data import read_report_data

ADULT_COLUMNS = [
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education-num",
    "marital-status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital-gain",
    "capital-loss",
    "hours-per-week",
    "native-country",
    "income",
]
N_TREES, N_ROWS = 60, 3000
# Two fits with other seeds differ by as much as one standard error (house-prices), and all models are compared with
# one of all columns, so that the means of several fits are compared instead.
N_REPEATS, CLEAR = 10, 2


def check_table(name: str) -> tuple[list[str], int]:
    """Columns called weak or none without which refits are worse by two standard errors; contradicting findings."""
    X, y, model, metric = _read(name)
    forest = model.fit(X, y)
    verdicts = read_report_data(forest, X, y, None, None, None, None, 0).importance.verdicts
    denied = verdicts.index[verdicts.isin(["weak", "none"])].tolist()
    dropped = try_dropping(model, X, y, denied, metric=metric, n_repeats=N_REPEATS, random_state=0).table
    worse = [names[0] for names in dropped.loc[dropped["change"] > CLEAR * dropped["std_error"], "dropped"]]
    held = np.arange(len(X)) % 4 == 0
    forest = model.fit(X[~held], y[~held])
    return worse, len(find_contradictions(report(forest, X[~held], y[~held], X[held], y[held]).findings))


def _read(name: str) -> tuple[pd.DataFrame, np.ndarray, Any, str]:
    """A sample of a table with its target, an unfitted forest, and the metric of refits."""
    folder = Path(os.environ["TABREC_DATA_DIR"]) / name
    if name == "adult":
        options: dict = {"header": None, "names": ADULT_COLUMNS, "skipinitialspace": True, "na_values": "?"}
        X = pd.read_csv(folder / "adult.data", **options).sample(N_ROWS, random_state=0, ignore_index=True)
        y = X.pop("income").to_numpy()
        return X, y, ForestClassifier(N_TREES, random_state=0), "log_loss"
    X = pd.read_csv(folder / "train.csv").drop(columns="Id")
    y = np.log(X.pop("SalePrice")).to_numpy()
    return X, y, ForestRegressor(N_TREES, random_state=0), "rmse"
