"""`report`: everything there is to say about a model, on one page that needs nothing else."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader
from rich.progress import track
from sklearn.utils.validation import check_is_fitted

import tabrec
from tabrec.interpret._result import Finding
from tabrec.interpret.page.blocks import Section
from tabrec.interpret.page.parts import OF_RATINGS, OF_TABLES, Part
from tabrec.interpret.page.ratings import RatingSubject
from tabrec.interpret.page.subject import FRAME_FOR_ARRAY, Subject, read_subject
from tabrec.interpret.page.world import order_findings
from tabrec.saving.files import new_file
from tabrec.tables.columns import as_frame

# A column that no table of ids has.
_RATING = " rating"

# How the note begins on what could not be worked out.
NOT_SHOWN = "Not shown:"

_SEVERITIES = {1: "Act", 2: "Look", 3: "Know"}


@dataclass(frozen=True)
class Card:
    """Findings of one kind that ask for the same, and the section they come from."""

    severity: int
    action: str
    section: Section
    findings: list[Finding]


@dataclass(frozen=True)
class Report:
    """A page about a model.

    Attributes
    ----------
    html : str
        The page: one file, without scripts, which asks nothing of any network.
    findings : list of Finding
        What to know, in order of what to do about it.
    """

    html: str
    findings: list[Finding]

    def save(self, path: str | os.PathLike) -> Path:
        """Write the page to a file that is not there yet.

        Parameters
        ----------
        path : str or path-like

        Returns
        -------
        pathlib.Path

        Raises
        ------
        FileExistsError
            There is something at `path`.
        """
        with new_file(path) as file:
            file.write_text(self.html, encoding="utf-8")
        return Path(path)

    def __repr__(self) -> str:
        lines = [f"Report of {len(self.html):,} characters, with {len(self.findings)} findings"]
        return "\n".join([*lines, *(f"  {_SEVERITIES[finding.severity]}: {finding.text}" for finding in self.findings)])


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
    verbose: bool = False,
) -> Report:
    """Explain a fitted model on one page: data, scores, importance, effects, reasons, confidence, shift, findings.

    Parameters
    ----------
    model : estimator
        Fitted: a forest, boosting, a net, an ensemble, any estimator of scikit-learn over the table, or a recommender.
    X, y : table of shape (n_rows, n_features) and array-like of shape (n_rows,), default=None
        The rows of fit, raw, in the order of fit. A recommender holds its ratings and needs none, except to be scored.
    X_valid, y_valid : as X and y, default=None
        Rows held out, by which the model is judged.
    X_new : table of shape (n_new, n_features), default=None
        The newest rows, whose target need not be known, to compare those of fit with; None takes `X_valid`.
    scores : pandas.DataFrame, default=None
        Of a recommender: what `tabrec.collab.evaluate` gave; None evaluates it on `X_valid`, where that is given.
    target : str, default=None
        What the target is called; None takes the name of `y`.
    title : str, default=None
        Title of the page.
    random_state : int, default=0
    verbose : bool, default=False
        Whether to show progress.

    Returns
    -------
    Report
        ``report(...).save("page.html")`` writes it.

    Raises
    ------
    sklearn.exceptions.NotFittedError
    TypeError
        The model predicts neither numbers nor classes.
    ValueError
        Tables and targets do not go together, or lack columns of fit.

    References
    ----------
    Howard & Gugger (2020), *Deep Learning for Coders with fastai and PyTorch*, chapter 9, whose looks at a model these
    are.

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
    if hasattr(model, "recommend"):
        rated = RatingSubject(model, _read_scores(model, X, y, X_valid, y_valid, scores))
        about = f"{type(model).__name__}, fitted to {len(model._ratings):,} ratings."
        sections = _fill(OF_RATINGS, rated, verbose)
    else:
        subject = read_subject(model, X, y, X_valid, y_valid, X_new, target, random_state)
        about = _about(subject)
        sections = _fill(OF_TABLES, subject, verbose)
    return _render(sections, title or f"{type(model).__name__}: a report", about)


def _read_scores(model: Any, X: Any, y: Any, X_valid: Any, y_valid: Any, scores: Any) -> pd.DataFrame | None:
    from tabrec.collab import evaluate  # torch takes a second to load

    if scores is not None or X_valid is None:
        return scores
    if X is None or y is None or y_valid is None:
        raise ValueError("To score a recommender, give X, y, X_valid and y_valid: ids of pairs and their ratings.")
    train, test = (as_frame(ids).assign(**{_RATING: list(r)}) for ids, r in ((X, y), (X_valid, y_valid)))
    return evaluate(model, train, test, rating=_RATING)


def _about(subject: Subject) -> str:
    held_out = f", judged on {len(subject.X_valid):,} rows held out" if subject.X_valid is not None else ""
    newer = f", compared with {len(subject.X_new):,} newer ones" if subject.X_new is not None else ""
    return (
        f"{type(subject.model).__name__} for {subject.target}, fitted to {len(subject.X):,} rows of "
        f"{subject.X.shape[1]} columns{held_out}{newer}."
    )


def _fill(parts: Sequence[Part], subject: Any, verbose: bool) -> list[Section]:
    chosen = [part for part in parts if part.suits(subject)]
    return [_make_section(part, subject) for part in track(chosen, "Explaining", transient=True, disable=not verbose)]


def _make_section(part: Part, subject: Any) -> Section:
    """The section; what it warned of, or why it cannot be, stands among its notes."""
    section = Section(part.anchor, part.title)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", FRAME_FOR_ARRAY)
        try:
            part.fill(section, subject)
        except ValueError as error:
            section.note(f"{NOT_SHOWN} {error}")
    messages = dict.fromkeys(str(warning.message) for warning in caught if warning.category is UserWarning)
    for message in messages:
        if not any(finding.text in message for finding in section.findings):
            section.note(message)
    return section


def _render(sections: list[Section], title: str, about: str) -> Report:
    findings = order_findings([finding for section in sections for finding in section.findings])
    first = Section("findings", "What to do")
    if not findings:
        first.say("Nothing stands out.")
    loader = PackageLoader("tabrec.interpret", "page")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    html = environment.get_template("page.html").render(
        title=title,
        subtitle=about,
        cards=_gather(findings, sections),
        sections=[first, *sections],
        severities=_SEVERITIES,
        version=tabrec.__version__,
    )
    return Report(html.strip() + "\n", findings)


def _gather(findings: list[Finding], sections: list[Section]) -> list[Card]:
    """Findings on cards, each where its first one stands."""
    cards: dict[tuple, Card] = {}
    for finding in findings:
        section = next(section for section in sections if finding in section.findings)
        key = (finding.severity, finding.kind, finding.action, section.anchor)
        cards.setdefault(key, Card(finding.severity, finding.action, section, [])).findings.append(finding)
    return list(cards.values())
