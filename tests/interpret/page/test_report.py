"""The report page: sections and findings of each kind of model, valid and self-contained HTML, and errors."""

import html
import html.parser
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from tabrec import (
    BoostingClassifier,
    BoostingRegressor,
    DotProductBias,
    EnsembleRegressor,
    ForestClassifier,
    ForestRegressor,
    TabularRegressor,
    TimeSplit,
    split_by_time,
)
from tabrec.datasets import make_auctions, make_ratings, read_table
from tabrec.interpret import report
from tabrec.interpret.page import rows, scores
from tabrec.interpret.page.blocks import Figure, Section
from tabrec.interpret.page.report_data import read_report_data
from tabrec.interpret.page.report_page import NOT_SHOWN

COLUMNS = ["SalePrice", "YearMade", "ProductSize", "saledate"]


def make_table(n_rows=700, columns=("SalesID", "state", *COLUMNS)):
    auctions = make_auctions(n_rows, random_state=0)[list(columns)]
    return auctions, np.log(auctions.pop("SalePrice"))


def split(X, y):
    train, valid = split_by_time(X, "saledate", at="2009-01-01")
    return X.iloc[train], y.iloc[train], X.iloc[valid], y.iloc[valid]


class Outline(html.parser.HTMLParser):
    """Sections with their headings, and tags that are left open."""

    def __init__(self, page):
        super().__init__()
        self.open, self.headings, self.ids = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.ids += [value for name, value in attributes if name == "id"]
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.ids += [value for name, value in attributes if name == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


@pytest.fixture(scope="module")
def forest_case():
    X, y, X_valid, y_valid = split(*make_table(350))
    return ForestRegressor(10, random_state=0).fit(X, y), X, y, X_valid, y_valid


@pytest.fixture(scope="module")
def forest_page(forest_case):
    return report(*forest_case)


def test_page_is_well_formed_and_stands_alone(forest_page):
    page = forest_page.html
    outline = Outline(page)
    assert outline.open == []
    assert len(outline.ids) == len(set(outline.ids))
    assert "<script" not in page
    outside = set(re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?!#|data:)([^"')\s>]+)""", page))
    assert outside == set()
    assert outline.headings == [
        "Findings",
        "Scores",
        "Errors by segment",
        "Data",
        "Feature importance",
        "Redundant columns",
        "Partial dependence",
        "Contributions to single predictions",
        "Prediction uncertainty",
        "Target leakage",
        "Domain shift",
        "Example tree",
    ]
    assert NOT_SHOWN not in page


def test_findings_are_sorted_and_name_their_columns(forest_page):
    severities = [finding.severity for finding in forest_page.findings]
    assert severities == sorted(severities)
    named = {name: finding for finding in forest_page.findings for name in finding.columns}
    assert "YearMade" in named
    assert any(f.kind.startswith("placeholder") and "YearMade" in f.columns for f in forest_page.findings)
    assert any("saledate" in f.columns and "shift" in f.kind for f in forest_page.findings)
    for finding in forest_page.findings:
        assert finding.text in html.unescape(forest_page.html)


@pytest.mark.long
@pytest.mark.parametrize(
    "model",
    [
        BoostingClassifier(max_iter=10, random_state=0),
        ForestClassifier(6, random_state=0),
        EnsembleRegressor([("a", ForestRegressor(5)), ("b", BoostingRegressor(max_iter=3))], cv=2, random_state=0),
        TabularRegressor(layers=[8], epochs=2, validation_fraction=TimeSplit(1, column="saledate", test_size=0.2)),
        ForestRegressor(10, bootstrap=False, random_state=0),
    ],
    ids=["boosting", "classifier", "ensemble", "net", "without bootstrap"],
)
def test_every_kind_of_model_has_a_page(model):
    X, y, X_valid, y_valid = split(*make_table(250, COLUMNS))
    if isinstance(model, (BoostingClassifier, ForestClassifier)):
        bounds = [9.8, 10.3] if isinstance(model, ForestClassifier) else [10.0]
        y, y_valid = (np.array(["low", "mid", "high"])[np.digitize(v, bounds)] for v in (y, y_valid))
    made = report(model.fit(X, y), X, y, X_valid, y_valid)
    page = made.html
    assert Outline(page).open == []
    assert NOT_SHOWN not in page
    assert [str(finding) for finding in made.findings if "nan" in str(finding).lower().split()] == []
    assert page.count("<figure ") >= 6
    assert ("Training history" in page) == isinstance(model, TabularRegressor)
    assert ("Example tree" in page) == isinstance(model, (ForestRegressor, ForestClassifier))


@pytest.mark.long
@pytest.mark.parametrize("model", [RandomForestRegressor(10, random_state=0), LogisticRegression()], ids=repr)
def test_models_of_scikit_learn_on_arrays(model, empty_figures):
    X = np.random.default_rng(0).normal(size=(300, 2))
    y = X[:, 0] + np.random.default_rng(1).normal(size=300)
    y = y if isinstance(model, RandomForestRegressor) else y > 0
    page = report(model.fit(X[:200], y[:200]), X[:200], y[:200], X[200:], y[200:]).html
    assert NOT_SHOWN not in page
    assert "feature names" not in page


def test_a_page_without_held_out_rows_says_so(empty_figures):
    X, y = make_table(200, COLUMNS)
    page = report(ForestRegressor(10, random_state=0).fit(X, y), X, y).html
    assert NOT_SHOWN not in page
    assert "no newer rows" in page


def test_scores_are_shown_for_more_rows_than_a_sample(forest_case, monkeypatch, empty_figures):
    monkeypatch.setattr(scores, "MANY_ROWS", 100)
    section = Section("scores", "Scores")
    scores.add_scores(section, read_report_data(*forest_case, X_new=None, target=None, random_state=0))
    captions = [block.caption for block in section.blocks if isinstance(block, Figure)]
    assert captions[0] == "Scores on the training rows, out of bag, and on held-out rows."


@pytest.mark.long
def test_recommenders_have_their_own_sections():
    ratings = make_ratings(4_000, n_users=150, n_items=80, random_state=0)
    ids, values = ratings[["user", "item"]], ratings["rating"]
    model = DotProductBias(n_factors=4, epochs=2, random_state=0).fit(ids[:3000], values[:3000])
    page = report(model, ids[:3000], values[:3000], ids[3000:], values[3000:]).html
    assert Outline(page).headings == [
        "Findings",
        "Scores",
        "Training history",
        "Ratings",
        "Item biases",
        "Map of items",
        "Example recommendation",
    ]
    assert "biases only" in page
    assert NOT_SHOWN not in page
    assert "There are no held-out ratings" in report(model).html


def test_a_planted_leak_and_a_planted_shift_come_first(empty_figures):
    rng = np.random.default_rng(0)
    X, y = make_table(700, COLUMNS)
    X = X.drop(columns="saledate").assign(leak=y + rng.normal(scale=1e-4, size=len(y)))
    X_new = X[550:].assign(leak=X["leak"][550:] + 5)
    forest = ForestRegressor(12, random_state=0).fit(X[:450], y[:450])
    findings = report(forest, X[:450], y[:450], X[450:550], y[450:550], X_new=X_new).findings
    first = [finding for finding in findings if finding.severity == 1]
    assert {kind for finding in first for kind in finding.columns} == {"leak"}
    assert len(first) >= 2


def test_a_page_is_saved_and_never_overwrites_a_file(forest_page, tmp_path):
    path = forest_page.save(tmp_path / "deep" / "page.html")
    assert path.read_text(encoding="utf-8") == forest_page.html
    with pytest.raises(FileExistsError, match="exists already"):
        forest_page.save(path)
    path.write_text("older")
    forest_page.save(path, overwrite=True)
    assert path.read_text(encoding="utf-8") == forest_page.html
    with pytest.raises(FileExistsError, match="deep is not a file"):
        forest_page.save(path.parent, overwrite=True)
    assert [found.name for found in path.parent.iterdir()] == ["page.html"]


def test_a_page_shows_itself_in_a_notebook_in_a_frame(forest_page):
    shown = forest_page._repr_html_()
    frame = re.fullmatch(r'<iframe srcdoc="([^"]*)" sandbox style="[^"]*" title="Report"></iframe>', shown)
    assert html.unescape(frame[1]) == forest_page.html


def test_invalid_arguments_raise_before_any_work():
    X, y = make_table(200, COLUMNS)
    forest = ForestRegressor(10, random_state=0).fit(X, y)
    with pytest.raises(NotFittedError):
        report(ForestRegressor(), X, y)
    with pytest.raises(ValueError, match="pass X and y"):
        report(forest)
    with pytest.raises(ValueError, match="belong together"):
        report(forest, X, y, X)
    with pytest.raises(ValueError, match="YearMade"):
        report(forest, X, y, X.drop(columns="YearMade"), y)
    with pytest.raises(ValueError, match="y has 199 values"):
        report(forest, X, y[:199])
    with pytest.raises(ValueError, match="fitted on 200 rows, but X has 150"):
        report(forest, X[:150], y[:150])
    with pytest.raises(ValueError, match="not the target"):
        report(forest, X, y + 1)
    with pytest.raises(ValueError, match="NaN"):
        report(forest, X, y, X, y.where(y > y.min()))
    with pytest.raises(ValueError, match="'title' parameter of report must be"):
        report(forest, X, y, title=1)
    with pytest.raises(ValueError, match="one target"):
        report(forest, X, np.column_stack([y, y]))


@pytest.mark.real_data("bulldozers/Train.csv", "bulldozers/Valid.csv")
def test_bulldozers_page_names_what_the_book_finds(data_dir, empty_figures):
    auctions = read_table(data_dir / "bulldozers" / "Train.csv")
    newest = read_table(data_dir / "bulldozers" / "Valid.csv")
    price = np.log(auctions.pop("SalePrice"))
    auctions, price = auctions[::8], price[::8]
    train, valid = split_by_time(auctions, "saledate", at="2011-01-01")
    X, y, X_valid, y_valid = auctions.iloc[train], price.iloc[train], auctions.iloc[valid], price.iloc[valid]
    forest = ForestRegressor(20, random_state=0).fit(X, y)
    findings = report(forest, X, y, X_valid, y_valid, X_new=newest).findings
    shifted = {name for f in findings if "shift" in f.kind for name in f.columns}
    assert {"SalesID", "MachineID", "saledate"} <= shifted
    redundant = [set(f.columns) for f in findings if "redundan" in f.kind]
    assert {"ProductGroup", "ProductGroupDesc"} in redundant
    assert {"fiModelDesc", "fiBaseModel"} in redundant
    assert any("YearMade" in f.columns and "1000" in f.text for f in findings)


def test_the_progress_by_section_is_shown_if_asked(capsys, empty_figures):
    X, y = make_table(200, ("SalePrice", "YearMade"))
    forest = ForestRegressor(5, random_state=0, verbose=0).fit(X, y)
    report(forest, X, y, verbose=1)
    output, errors = capsys.readouterr()
    assert output == ""
    n_sections = errors.splitlines()[-1].removeprefix("Explaining ").split("/")[0]
    assert errors.splitlines()[-1].startswith(f"Explaining {n_sections}/{n_sections}, ")


def test_weights_of_held_out_rows_reach_every_score_of_the_page(forest_case):
    model, X, y, X_valid, y_valid = forest_case
    weights = np.random.default_rng(0).random(len(y_valid))
    data = read_report_data(model, X, y, X_valid, y_valid, None, None, 0, None, weights)
    rmse = np.sqrt(np.average(np.square(y_valid - model.predict(X_valid)), weights=weights))
    assert f"RMSE {rmse:.2f} ±" in scores.summarise_scores(data)
    section = Section("scores", "Scores")
    scores.add_scores(section, data)
    assert f"{rmse:.4f}" in section.blocks[0].rows[-1]


class Narrow:
    """A result of `confidence` whose intervals hold the target of the rows with a low prediction alone."""

    table = pd.DataFrame({"prediction": np.arange(400.0)})

    def coverage(self, y, by, sample_weight=None):
        covered = pd.Series(np.arange(400) < 300).groupby(np.asarray(pd.qcut(np.arange(400), 4, labels=False)))
        found = pd.DataFrame({"n": covered.size(), "coverage": covered.mean(), "std_error": 0.03, "mean_width": 1.0})
        return found.set_axis(pd.Index(["low", "middle", "high", "highest"], name="prediction"))


def test_a_part_that_is_covered_too_rarely_is_a_finding_with_its_rows(forest_case):
    model, X, y, *_ = forest_case
    data = read_report_data(model, X, y, X.iloc[:150], y.iloc[:150], None, None, 0)
    section = Section("confidence", "Prediction uncertainty")
    rows._add_coverage_by_part(section, data, Narrow(), np.ones(150, dtype=bool))
    (finding,) = section.findings
    assert finding.text == "Of the rows with prediction highest, 0% are covered: the level of 90% does not hold there."
    assert finding.evidence == "100 held-out rows, standard error 3.0%."
    assert [row[:3] for row in section.blocks[0].rows][-1] == ["highest", "100", "0.0%"]
