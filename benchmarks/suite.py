"""Errors and seconds of default models on 13 tables with fixed splits, beside recorded errors of CatBoost.

    TABREC_DATA_DIR=/path/to/data python benchmarks/suite.py [--tables house,german] [--models ensemble] [--seconds 500]

Besides the tables of `accuracy.py`, the folder holds ``suite/``: abalone, white wine, wages, life expectancy, Beijing's
air pollution, phonemes, mammography, telco churn, German credit and letters. Regressions are scored by the RMSE,
classifications by the log-loss.

Every fit is recorded in a file, which a further call continues: ``--seconds`` starts no fit after that many seconds. A
model of a package that is not installed is left out. The report has the geometric mean over the tables of the error
divided by CatBoost's (defaults, one seed, recorded in ``results/suite-catboost.json``).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _timing import describe_machine, markdown_table, note
from accuracy import Split, adult, bulldozers, house, on_ordinal_codes
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import log_loss, root_mean_squared_error

import tabrec

RESULTS = Path(__file__).parent / "results"
Model = Callable[[bool, int], Any]  # whether of classes, and the seed


def _random_fifth(frame: pd.DataFrame, y: pd.Series) -> Split:
    """Hold out a random fifth of the rows."""
    test, train = np.split(np.random.default_rng(0).permutation(len(frame)), [len(frame) // 5])
    parts = [part.iloc[rows].reset_index(drop=True) for rows in (train, test) for part in (frame, y)]
    return Split(*parts)


def _read(folder: Path, name: str, columns: str | None = None) -> pd.DataFrame:
    names = columns.split() if columns else None
    return pd.read_csv(folder / "suite" / name, names=names, header=None if names else "infer")


def abalone(folder: Path) -> Split:
    frame = _read(folder, "abalone.csv", "sex length diameter height whole shucked viscera shell rings")
    return _random_fifth(frame, frame.pop("rings").astype(float))


def wine(folder: Path) -> Split:
    columns = (
        "fixed_acidity volatile_acidity citric_acid sugar chlorides free_so2 total_so2 density pH sulphates alcohol"
    )
    frame = _read(folder, "winequality-white.csv", f"{columns} quality")
    return _random_fifth(frame, frame.pop("quality").astype(float))


def wage(folder: Path) -> Split:
    frame = _read(folder, "Wage.csv").drop(columns="wage")
    return _random_fifth(frame, frame.pop("logwage"))


def life(folder: Path) -> Split:
    frame = _read(folder, "Life_Expectancy_Data.csv")
    frame = frame.rename(columns=str.strip).dropna(subset="Life expectancy").reset_index(drop=True)
    return _random_fifth(frame, frame.pop("Life expectancy"))


def pollution(folder: Path) -> Split:
    """Log of the hourly PM2.5; the last fifth of the hours for testing."""
    frame = _read(folder, "pollution.csv").drop(columns="No").query("`pm2.5` > 0").reset_index(drop=True)
    y, n_train = np.log(frame.pop("pm2.5")), int(len(frame) * 0.8)
    return Split(frame[:n_train], y[:n_train], frame[n_train:], y[n_train:])


def phoneme(folder: Path) -> Split:
    frame = _read(folder, "phoneme.csv", "a b c d e oral")
    return _random_fifth(frame, frame.pop("oral"))


def mammography(folder: Path) -> Split:
    frame = _read(folder, "mammography.csv", "a b c d e f label")
    return _random_fifth(frame, (frame.pop("label") == "'1'").astype(int))


def telco(folder: Path) -> Split:
    frame = _read(folder, "telco.csv").drop(columns="customerID")
    return _random_fifth(frame, (frame.pop("Churn") == "Yes").astype(int))


def german(folder: Path) -> Split:
    frame = _read(folder, "GermanCredit.csv")
    return _random_fifth(frame, frame.pop(frame.columns[-1]))


def letter(folder: Path) -> Split:
    frame = _read(folder, "LetterRecognition.csv")
    return _random_fifth(frame, frame.pop("lettr"))


REGRESSIONS = (house, wage, life, abalone, wine, bulldozers, pollution)
CLASSIFICATIONS = (german, phoneme, mammography, telco, letter, adult)
TABLES = {table.__name__: table for table in (*REGRESSIONS, *CLASSIFICATIONS)}


def _of_package(regressor: str, classifier: str) -> Model:
    return lambda of_classes, seed: getattr(tabrec, classifier if of_classes else regressor)(random_state=seed)


def _net(of_classes: bool, seed: int) -> Any:
    """The default net in float32, whose errors and seconds do not depend on bfloat16 of the processor."""
    net = tabrec.TabularClassifier if of_classes else tabrec.TabularRegressor
    return net(random_state=seed, mixed_precision=False)


def _histogram_boosting(of_classes: bool, seed: int) -> Any:
    model = HistGradientBoostingClassifier if of_classes else HistGradientBoostingRegressor
    return on_ordinal_codes(model(random_state=seed))


def _lightgbm(of_classes: bool, seed: int) -> Any:
    from lightgbm import LGBMClassifier, LGBMRegressor

    return on_ordinal_codes((LGBMClassifier if of_classes else LGBMRegressor)(random_state=seed, verbose=-1))


def _catboost(of_classes: bool, seed: int) -> Any:
    from catboost import CatBoostClassifier, CatBoostRegressor

    return _CatBoost((CatBoostClassifier if of_classes else CatBoostRegressor)(random_seed=seed, verbose=0))


class _CatBoost:
    """CatBoost on raw frames: all but numbers are categories, as text."""

    def __init__(self, model: Any):
        self.model = model

    def fit(self, X: pd.DataFrame, y: pd.Series) -> None:
        self.categories = [name for name in X if X[name].dtype.kind not in "iufb"]
        self.model.fit(self._read(X), y, cat_features=self.categories)
        self.classes_ = getattr(self.model, "classes_", None)

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        return self.model.predict(self._read(X))

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        return self.model.predict_proba(self._read(X))

    def _read(self, X: pd.DataFrame) -> pd.DataFrame:
        return X.astype(dict.fromkeys(self.categories, str))


MODELS: dict[str, Model] = {
    "forest": _of_package("ForestRegressor", "ForestClassifier"),
    "boosting": _of_package("BoostingRegressor", "BoostingClassifier"),
    "net": _net,
    "ensemble": _of_package("EnsembleRegressor", "EnsembleClassifier"),
    "histogram boosting": _histogram_boosting,
    "lightgbm": _lightgbm,
    "catboost": _catboost,
}
_PACKAGES = ("lightgbm", "catboost")


def calibration_error(y: np.ndarray, probabilities: np.ndarray, classes: np.ndarray, n_bins: int = 15) -> float:
    """Return the mean distance, over bins of equally many rows, of mean confidence and accuracy (Guo et al., 2017)."""
    confidence, is_right = probabilities.max(axis=1), classes[probabilities.argmax(axis=1)] == y
    bins = np.array_split(np.argsort(confidence, kind="stable"), n_bins)
    return float(sum(abs(np.sum(confidence[rows] - is_right[rows])) for rows in bins) / len(y))


def measure(name: str, table: str, seed: int, folder: Path) -> dict[str, Any]:
    """Fit a model to a table, and return its error on the test rows with the seconds."""
    split, of_classes = TABLES[table](folder), TABLES[table] in CLASSIFICATIONS
    model = MODELS[name](of_classes, seed)
    started, cpu = time.perf_counter(), time.process_time()
    model.fit(split.X_train, split.y_train)
    fitted, fitted_cpu = time.perf_counter(), time.process_time()
    found = {"table": table, "model": name, "seed": seed}
    if of_classes:
        probabilities = model.predict_proba(split.X_test)
        found["error"] = float(log_loss(split.y_test, probabilities, labels=model.classes_))
        found["calibration_error"] = calibration_error(split.y_test.to_numpy(), probabilities, model.classes_)
    else:
        found["error"] = float(root_mean_squared_error(split.y_test, model.predict(split.X_test)))
    found |= {"fit_seconds": fitted - started, "fit_cpu_seconds": fitted_cpu - cpu}
    found["predict_seconds"] = time.perf_counter() - fitted
    if hasattr(model, "weights_"):
        found["weights"] = {member: round(weight, 3) for member, weight in model.weights_.items()}
    return found


def report(runs: list[dict[str, Any]], anchor: dict[str, float]) -> str:
    """Return the errors by table, their ratios to those of CatBoost, and the seconds, as markdown."""
    frame = pd.DataFrame(runs)
    errors = frame.pivot_table(index="table", columns="model", values="error", sort=False)
    rows = [
        [table, f"{anchor[table]:.4f}", *(_shown(value, anchor[table]) for value in line)]
        for table, line in zip(errors.index, errors.to_numpy(), strict=True)
    ]
    ratios = np.log(errors.div(pd.Series(anchor), axis=0).dropna(how="all").clip(0.5, 2))
    means, spreads = np.exp(ratios.mean()), ratios.std(ddof=1) / np.sqrt(ratios.count())
    geometric = [
        f"{mean:.3f} ± {mean * error:.3f} ({n})" for mean, error, n in zip(means, spreads, ratios.count(), strict=True)
    ]
    rows.append(["geometric mean of ratios ± standard error (tables)", "1", *geometric])
    seconds = frame.groupby("model")["fit_seconds"].sum()
    rows.append(["fit seconds, all tables and seeds", "", *(f"{seconds[name]:.0f}" for name in errors.columns)])
    tables = [markdown_table(["table", "CatBoost, recorded", *errors.columns], rows)]
    if "calibration_error" in frame:
        found = frame.pivot_table(index="table", columns="model", values="calibration_error", sort=False)
        found.loc["mean"] = found.mean()
        rows = [
            [table, *(f"{value:.4f}" for value in line)]
            for table, line in zip(found.index, found.to_numpy(), strict=True)
        ]
        tables.append("Expected calibration error\n\n" + markdown_table(["table", *found.columns], rows))
    return "\n\n".join(tables)


def _shown(error: float, anchor: float) -> str:
    return "–" if error != error else f"{error:.4f} ({error / anchor:.2f}×)"


def main() -> None:
    """Measure what the record lacks, and print the report of the whole record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=np.inf)
    parser.add_argument("--record", type=Path, default=RESULTS / "suite-cpu.json")
    options = parser.parse_args()
    folder = os.environ.get("TABREC_DATA_DIR")
    if not folder:
        parser.error("TABREC_DATA_DIR must name the folder with the tables.")
    started = time.perf_counter()
    record = json.loads(options.record.read_text()) if options.record.exists() else {"runs": []}
    done = {(run["table"], run["model"], run["seed"]) for run in record["runs"]}
    wanted = [
        (table, model, seed)
        for seed in range(options.seeds)
        for table in options.tables.split(",")
        for model in options.models.split(",")
        if (table, model, seed) not in done and (model not in _PACKAGES or find_spec(model))
    ]
    for table, model, seed in wanted:
        if time.perf_counter() - started > options.seconds:
            note(f"stopped before {model} on {table}, seed {seed}")
            break
        record["runs"].append(measure(model, table, seed, Path(folder)))
        record["machine"] = describe_machine(
            versions={name: version(name) for name in ("tabrec", "scikit-learn", "torch")}
        )
        options.record.write_text(json.dumps(record, indent=1) + "\n")
        note(str(record["runs"][-1]))
    anchor = json.loads((RESULTS / "suite-catboost.json").read_text())["errors"]
    print(f"{record['machine']}\n\n{report(record['runs'], anchor)}")


if __name__ == "__main__":
    main()
