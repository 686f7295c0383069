"""`report`: a self-contained HTML page that explains a fitted model."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader
from sklearn.base import is_classifier, is_regressor
from sklearn.utils.validation import check_is_fitted

import tabrec
from tabrec.interpret._parameters import SEED, check_parameters
from tabrec.interpret._result import Finding
from tabrec.interpret.page import columns, data, rankings, ratings, rows
from tabrec.interpret.page import scores as scores_of
from tabrec.interpret.page.blocks import Section
from tabrec.interpret.page.consistency import describe_alike, group_alike, reconcile
from tabrec.interpret.page.report_data import FRAME_FOR_ARRAY, ReportData, read_report_data
from tabrec.saving.files import new_file
from tabrec.tables.columns import as_frame
from tabrec.tables.progress import track
from tabrec.tables.row_labels import check_row_labels
from tabrec.tables.verbosity import VERBOSE
from tabrec.trees.fitted_trees import is_forest

_RATING = " rating"  # differs from all names of id columns
NOT_SHOWN = "Not shown:"  # start of the note on a section that could not be made
_FRAME = "width: 100%; height: 45em; border: 1px solid #8888"
_NOTE = 3
_SEVERITIES = {1: "Act", 2: "Check", _NOTE: "Note"}
_N_SHOWN = 3  # number of cards of findings that are not collapsed
_N_PRINTED = 7


@dataclass(frozen=True)
class _SectionSpec:
    """A section of a report: its anchor, title, the function that fills it, and the models it applies to."""

    anchor: str
    title: str
    fill: Callable[[Section, Any], None]
    applies: Callable[[Any], bool] = lambda model: True
    is_open: bool | None = True  # None opens it if it has a finding of severity 1 or 2


def _has(attribute: str) -> Callable[[Any], bool]:
    return lambda model: hasattr(model, attribute)


_TRAINING = _SectionSpec("training", "Training history", scores_of.add_training, _has("history_"), is_open=False)
_TABLE_SECTIONS = [
    _SectionSpec("scores", "Scores", scores_of.add_scores),
    _SectionSpec("curves", "Curves and thresholds", scores_of.add_curves, is_classifier),
    _SectionSpec("segments", "Errors by segment", scores_of.add_segments),
    _TRAINING,
    _SectionSpec("data", "Data", data.add_data, is_open=False),
    _SectionSpec("importance", "Feature importance", columns.add_importance),
    _SectionSpec("redundancy", "Redundant columns", columns.add_redundancy, is_open=False),
    _SectionSpec("effects", "Partial dependence", columns.add_effects),
    _SectionSpec("rows", "Contributions to single predictions", rows.add_contributions),
    _SectionSpec("confidence", "Prediction uncertainty", rows.add_confidence, is_open=None),
    _SectionSpec("leaks", "Target leakage", data.add_leakage, is_open=False),
    _SectionSpec("shift", "Domain shift", data.add_shift, is_open=None),
    _SectionSpec("embeddings", "Embeddings", columns.add_embeddings, _has("embeddings_"), is_open=False),
    _SectionSpec("tree", "Example tree", columns.add_tree, is_forest, is_open=False),
]
_RATING_SECTIONS = [
    _SectionSpec("scores", "Scores", ratings.add_rating_scores),
    _TRAINING,
    _SectionSpec("data", "Ratings", ratings.add_ratings),
    _SectionSpec("biases", "Item biases", ratings.add_item_biases),
    _SectionSpec("map", "Map of items", ratings.add_item_map),
    _SectionSpec("recommendation", "Example recommendation", ratings.add_recommendation),
]

_RANKING_SECTIONS = [
    _SectionSpec("scores", "Scores", rankings.add_ranking_scores),
    _TRAINING,
    _SectionSpec("data", "Interactions", rankings.add_interactions),
    _SectionSpec("coverage", "Coverage", rankings.add_coverage),
    _SectionSpec("users", "Example users", rankings.add_example_users),
]


@dataclass(frozen=True)
class _Card:
    """Findings of one kind with the same action, and their section."""

    severity: int
    action: str
    section: Section
    findings: list[Finding]


@dataclass(frozen=True)
class Report:
    """A report on a fitted model.

    Attributes
    ----------
    html : str
        The page: one file without scripts that loads nothing from the network.
    findings : list of Finding
        The findings of all sections, the most severe first.

    See Also
    --------
    report : Makes one.
    Finding : One finding.
    """

    html: str
    findings: list[Finding]

    def save(self, path: str | os.PathLike, *, overwrite: bool = False) -> Path:
        """Write the page to a file, which appears complete or not at all.

        Parameters
        ----------
        path : str or path-like
            The file to create; missing folders are created too.
        overwrite : bool, default=False
            Whether to replace a file of that name.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        FileExistsError
            The file exists already, or is a folder.
        """
        with new_file(path, overwrite=overwrite) as file:
            file.write_text(self.html, encoding="utf-8")
        return Path(path)

    def __repr__(self) -> str:
        lines = [f"Report of {len(self.html):,} characters, with {len(self.findings)} findings"]
        groups = group_alike(self.findings)
        lines += [f"  {_SEVERITIES[group[0].severity]}: {describe_alike(group)}" for group in groups[:_N_PRINTED]]
        more = sum(map(len, groups[_N_PRINTED:]))
        return "\n".join([*lines, *([f"  … and {more} more on the page."] if more > 0 else [])])

    def _repr_html_(self) -> str:
        """Return the page in an iframe, so that its styles and those of a notebook do not mix."""
        return f'<iframe srcdoc="{escape(self.html)}" sandbox style="{_FRAME}" title="Report"></iframe>'


@check_parameters(
    target=[str, None], title=[str, None], random_state=SEED, scores=[pd.DataFrame, None], verbose=VERBOSE
)
def report(
    model: Any,
    X: Any = None,
    y: Any = None,
    X_valid: Any = None,
    y_valid: Any = None,
    *,
    X_new: Any = None,
    scores: pd.DataFrame | None = None,
    target: str | None = None,
    title: str | None = None,
    random_state: int = 0,
    verbose: bool | int | str = "auto",
    sample_weight: Any = None,
    sample_weight_valid: Any = None,
) -> Report:
    """Explain a fitted model on one HTML page, findings first.

    The page covers scores, data, importance, effects, single predictions, uncertainty, leakage and shift.

    Parameters
    ----------
    model : estimator
        A fitted regressor, classifier or recommender.
    X : table of shape (n_rows, n_features), default=None
        The raw training rows, in the order of fit. A recommender keeps its ratings and needs them only to be scored.
    y : array-like of shape (n_rows,), default=None
        Target of the training rows.
    X_valid : table of shape (n_valid, n_features), default=None
        Held-out rows on which the model is scored.
    y_valid : array-like of shape (n_valid,), default=None
        Target of the held-out rows.
    X_new : table of shape (n_new, n_features), default=None
        The newest rows, with or without a known target, to compare with the training rows; None uses `X_valid`.
    scores : pandas.DataFrame, default=None
        For a recommender, the result of `tabrec.collab.evaluate`, or the table of
        `tabrec.collab.compare_recommenders` with its model first; None evaluates on `X_valid` where it is given.
    target : str, default=None
        Name of the target; None uses the name of `y`.
    title : str, default=None
        Title of the page; None uses the name of the model's class.
    random_state : int, default=0
        Seed of samples and permutations.
    verbose : bool, int or "auto", default="auto"
        Whether to show the progress by section, and the time left; "auto" does so in terminals and notebooks.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the training rows, for scores, importance and effects; None weights all rows equally. The checks of
        the data (leakage, shift, redundancy) count each row once.
    sample_weight_valid : array-like of shape (n_valid,), default=None
        Weights of the held-out rows, for scores, curves, segments and coverage.

    Returns
    -------
    Report
        ``report(...).save("page.html")`` writes it.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        The model is not fitted.
    TypeError
        The model is not a regressor, a classifier or a recommender.
    ValueError
        Tables and targets do not fit together, or columns of fit are missing.

    See Also
    --------
    feature_importance : Importance of the columns.
    partial_dependence : Effect of one or two columns.
    contributions : Contributions of the columns to single predictions.
    confidence : Prediction intervals and sets.
    leakage_check : Columns that predict the target too well.
    domain_shift : Differences between training and new rows.

    References
    ----------
    Howard & Gugger (2020), *Deep Learning for Coders with fastai and PyTorch*, chapter 9.

    Examples
    --------
    >>> import numpy as np
    >>> from tabrec import ForestRegressor, split_by_time
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.interpret import report
    >>> auctions = make_auctions(600, random_state=0)[["SalePrice", "YearMade", "ProductSize", "saledate"]]
    >>> price = np.log(auctions.pop("SalePrice"))
    >>> train, valid = split_by_time(auctions, "saledate", at="2010-01-01")
    >>> forest = ForestRegressor(20, random_state=0).fit(auctions.iloc[train], price.iloc[train])
    >>> page = report(forest, auctions.iloc[train], price.iloc[train], auctions.iloc[valid], price.iloc[valid])
    >>> page.html.startswith("<!DOCTYPE html>")
    True
    """
    check_is_fitted(model)
    headline = ""
    if hasattr(model, "recommend"):
        if sample_weight is not None or sample_weight_valid is not None:
            raise ValueError("sample_weight is for regressors and classifiers, not for the report of a recommender.")
        rated = ratings.RatingData(model, _read_scores(model, X, y, X_valid, y_valid, scores))
        what, specs = ("ratings", _RATING_SECTIONS) if is_regressor(model) else ("interactions", _RANKING_SECTIONS)
        about = f"{type(model).__name__}, fitted to {len(model.ratings_):,} {what}."
        sections = _make_sections(specs, rated, verbose)
        headline = ratings.summarise_ratings(rated) if is_regressor(model) else ""
    else:
        tables = (X, y, X_valid, y_valid, X_new)
        given = read_report_data(model, *tables, target, random_state, sample_weight, sample_weight_valid)
        about = _describe(given)
        sections = _make_sections(_TABLE_SECTIONS, given, verbose)
        headline = scores_of.summarise_scores(given)
    return _render(sections, title or f"Report on {type(model).__name__}", about, headline)


def _read_scores(model: Any, X: Any, y: Any, X_valid: Any, y_valid: Any, scores: Any) -> pd.DataFrame | None:
    from tabrec.collab import evaluate  # imported here because it loads torch

    if scores is not None or X_valid is None:
        return scores
    if not is_regressor(model) and X is not None and y is None and y_valid is None:
        return evaluate(model, as_frame(X), as_frame(X_valid))
    if X is None or y is None or y_valid is None:
        raise ValueError("Scoring a recommender needs X, y, X_valid and y_valid: pairs of ids and their ratings.")
    check_row_labels(X, y=y)
    check_row_labels(X_valid, y_valid=y_valid)
    train, test = (as_frame(ids).assign(**{_RATING: list(r)}) for ids, r in ((X, y), (X_valid, y_valid)))
    return evaluate(model, train, test, rating=_RATING)


def _describe(given: ReportData) -> str:
    held_out = f", scored on {len(given.X_valid):,} held-out rows" if given.X_valid is not None else ""
    newer = f", compared with {len(given.X_new):,} newer rows" if given.X_new is not None else ""
    return (
        f"{type(given.model).__name__} for {given.target}, fitted to {len(given.X):,} rows and {given.X.shape[1]} "
        f"columns{held_out}{newer}."
    )


def _make_sections(specs: list[_SectionSpec], given: Any, verbose: Any) -> list[Section]:
    chosen = [spec for spec in specs if spec.applies(given.model)]
    return [_make_section(spec, given) for spec in track(chosen, "Explaining", len(chosen), verbose)]


def _make_section(spec: _SectionSpec, given: Any) -> Section:
    """Fill a section; warnings, and an error that stops it, become notes."""
    section = Section(spec.anchor, spec.title, bool(spec.is_open))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", FRAME_FOR_ARRAY)
        try:
            spec.fill(section, given)
        except ValueError as error:
            section.add_note(f"{NOT_SHOWN} {error}")
    messages = dict.fromkeys(str(warning.message) for warning in caught if warning.category is UserWarning)
    known = [finding.text for finding in section.findings]
    section.add_warnings([message for message in messages if not any(text in message for text in known)])
    if spec.is_open is None:
        section.is_open = any(finding.severity < _NOTE for finding in section.findings)
    return section


def _render(sections: list[Section], title: str, about: str, headline: str) -> Report:
    # Duplicate texts are removed; findings of equal severity keep the order of sections.
    distinct = {(found.kind, found.text): found for section in sections for found in section.findings}
    findings = sorted(reconcile(list(distinct.values())), key=lambda finding: finding.severity)
    loader = PackageLoader("tabrec.interpret", "page")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    html = environment.get_template("page.html").render(
        title=title,
        subtitle=about,
        headline=headline,
        cards=_make_cards(findings, sections),
        n_shown=_N_SHOWN,
        sections=sections,
        severities=_SEVERITIES,
        version=tabrec.__version__,
    )
    return Report(html.strip() + "\n", findings)


def _make_cards(findings: list[Finding], sections: list[Section]) -> list[_Card]:
    """Group findings into cards, in the order of the first finding of each."""
    cards: dict[tuple, _Card] = {}
    for finding in findings:
        section = next(section for section in sections if finding in section.findings)
        key = (finding.severity, finding.kind, finding.action, section.anchor)
        cards.setdefault(key, _Card(finding.severity, finding.action, section, [])).findings.append(finding)
    return list(cards.values())
