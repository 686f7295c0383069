"""Sections on the data and on how well the model does."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier, DummyRegressor

from tabrec.interpret._models import predictor
from tabrec.interpret._result import Finding
from tabrec.interpret.audit._placeholders import find_placeholders
from tabrec.interpret.certainty.out_of_bag import oob_report
from tabrec.interpret.metrics import METRICS, read_metric
from tabrec.interpret.page.blocks import Section
from tabrec.interpret.page.subject import MANY_ROWS, Subject
from tabrec.plotting.axes import BLUE, GREY, finish, shorten
from tabrec.preprocess import column_kinds

_SHOWN_COLUMNS = 200
_DOTS = 1_500


def describe_data(section: Section, subject: Subject) -> None:
    """The columns with their kinds, and values that look like codes for missing."""
    kinds = column_kinds(subject.X)
    counts = kinds["kind"].value_counts()
    section.say(
        f"{len(subject.X):,} rows and {len(kinds)} columns: "
        + ", ".join(f"{count} {kind}" for kind, count in counts.items())
        + ". Whole numbers with at most 20 distinct values are called categorical here."
    )
    table = kinds.head(_SHOWN_COLUMNS).reset_index()
    table["example"] = [None if example is None else str(example)[:60] for example in table["example"]]
    table = table.rename(columns={"n_unique": "distinct"})[["column", "kind", "distinct", "missing", "example"]]
    section.show(table, "The columns as they came.", {"distinct": "{:,}", "missing": "{:.1%}"})
    if len(kinds) > _SHOWN_COLUMNS:
        section.note(f"{len(kinds) - _SHOWN_COLUMNS} more columns are not listed.")
    section.find(find_placeholders(subject.X))


def show_scores(section: Section, subject: Subject) -> None:
    """The scores beside a baseline, and how predictions compare with what happened."""
    if subject.has_oob and subject.X_valid is not None:
        _compare_with_oob(subject, section)
    else:
        _compare_with_baseline(subject, section)
    if subject.is_classifier:
        _show_classes(subject, section)
    else:
        section.draw(partial(_plot_predicted, subject), f"Predicted against actual {subject.target}.", (5.2, 4.6))


def _compare_with_oob(subject: Subject, section: Section) -> None:
    rows = subject.sample(len(subject.X), MANY_ROWS)
    result = oob_report(subject.model, subject.X_valid, subject.y_valid, X=subject.X.iloc[rows], y=subject.y[rows])
    section.show(result.table, f"{result.metric} by rows.", {"n": "{:,}", "score": "{:.4f}", "std_error": "{:.4f}"})
    section.draw(result.plot, "Errors on the rows of fit, out of bag, and on rows held out.", (6.4, 2.8))
    section.find(result.findings)


def _compare_with_baseline(subject: Subject, section: Section) -> None:
    names = ["accuracy", "log_loss"] if subject.is_classifier else ["rmse", "mae", "r2"]
    dummy = DummyClassifier(strategy="prior") if subject.is_classifier else DummyRegressor()
    dummy.fit(np.zeros((len(subject.y), 1)), subject.y)
    y = subject.judged[1]
    parts = {"validation": (subject.predicted, y), "baseline": (predictor(dummy)(np.zeros((len(y), 1))), y)}
    if subject.X_valid is None:
        parts = {"rows of fit": parts["validation"], "baseline": parts["baseline"]}
        section.note("There are no rows held out: the scores are of rows that the model has learned, and flatter it.")
    else:
        rows = subject.sample(len(subject.X), MANY_ROWS)
        parts = {"rows of fit": (predictor(subject.model)(subject.X.iloc[rows]), subject.y[rows]), **parts}
    classes = getattr(subject.model, "classes_", None)
    table = pd.DataFrame(
        {
            "rows": list(parts),
            **{
                METRICS[name].name: [METRICS[name].score(METRICS[name].gains(y, p, classes)) for p, y in parts.values()]
                for name in names
            },
        }
    )
    section.show(table, "The baseline predicts the mean, or the class shares, of the rows of fit for every row.")
    metric = read_metric(subject.model, None)
    of_model, of_baseline = (metric.score(metric.gains(y, p, classes)) for p, y in list(parts.values())[-2:])
    section.find(_find_no_better(metric.name, of_model, of_baseline, metric.greater_is_better))


def _find_no_better(name: str, of_model: float, of_baseline: float, greater_is_better: bool) -> list[Finding]:
    if (of_model > of_baseline) == greater_is_better and of_model != of_baseline:
        return []
    return [
        Finding(
            "no better than a baseline",
            1,
            (),
            "The model does no better than a baseline that looks at no column.",
            f"{name} {of_model:.4g}, baseline {of_baseline:.4g}.",
            "Do not use it before it does: look at the target, at the split, and at what the columns can know.",
        )
    ]


def _show_classes(subject: Subject, section: Section) -> None:
    y = np.asarray(subject.judged[1])
    guessed = np.asarray(subject.model.classes_)[subject.predicted.argmax(axis=1)]
    rows = []
    for label in subject.model.classes_[:30]:
        actual, said = y == label, guessed == label
        hit = (actual & said).sum()
        rows.append((str(label), actual.sum(), hit / max(actual.sum(), 1), hit / max(said.sum(), 1)))
    table = pd.DataFrame(rows, columns=["class", "rows", "recall", "precision"])
    section.show(table, "By class.", {"rows": "{:,}", "recall": "{:.1%}", "precision": "{:.1%}"})


def _plot_predicted(subject: Subject, ax: Any) -> Any:
    rows = subject.sample(len(subject.judged[1]), _DOTS)
    actual = np.asarray(subject.judged[1], dtype=np.float64).reshape(len(subject.judged[1]), -1)[rows, 0]
    predicted = subject.predicted[rows, 0]
    ends = [min(actual.min(), predicted.min()), max(actual.max(), predicted.max())]
    ax.plot(ends, ends, color=GREY, linewidth=1)
    ax.scatter(actual, predicted, s=7, color=BLUE, alpha=0.35, linewidth=0)
    ax.set_xlabel(f"actual {shorten(subject.target)}")
    ax.set_ylabel("predicted")
    return finish(ax)
