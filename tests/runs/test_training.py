"""`train`: metrics, folds, the choice among models, and which rows the saved model learned from."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import f1_score, mean_absolute_error

from tabrec.datasets import make_auctions
from tabrec.runs import Run, train
from tabrec.runs.metrics import choose_metric

pytestmark = pytest.mark.usefixtures("small_models")

AUCTIONS = make_auctions(150, random_state=0)[["SalePrice", "YearMade", "state", "saledate"]]
CLASSES = AUCTIONS.assign(dear=np.where(AUCTIONS["SalePrice"] > 25_000, "yes", "no")).drop(columns="SalePrice")


@pytest.fixture(scope="module")
def compared():
    """All models by folds, kept without fitting the best one to all rows."""
    return train(AUCTIONS, "SalePrice", model="all", log_target=True, cv=2, refit=False)


@pytest.fixture(scope="module")
def classes():
    return train(CLASSES, "dear", metric="f1")


def test_the_model_is_fitted_to_all_rows_and_its_scores_are_not(classes):
    X, y = CLASSES.drop(columns="dear"), CLASSES["dear"].to_numpy()
    _, train_rows, valid_rows = classes.split(CLASSES)
    fitted = clone(classes.model).fit(X, y)
    np.testing.assert_array_equal(classes.model.predict_proba(X), fitted.predict_proba(X))
    validated = clone(classes.model).fit(X.iloc[train_rows], y[train_rows])
    assert classes.predictions["predicted"].tolist() == validated.predict(X.iloc[valid_rows]).tolist()
    assert classes.metadata["refit"]


def test_a_run_can_be_refitted_later(classes):
    later = train(CLASSES, "dear", metric="f1", refit=False).refit(CLASSES)
    X = CLASSES.drop(columns="dear")
    np.testing.assert_array_equal(later.model.predict_proba(X), classes.model.predict_proba(X))
    assert later.metadata["refit"]
    assert later.metrics == classes.metrics


def test_without_refit_the_model_is_that_of_the_scores(compared):
    predicted = compared.predict(AUCTIONS.iloc[compared.predictions["row"]])["SalePrice"]
    np.testing.assert_array_equal(predicted, compared.predictions["predicted"])


def test_a_scorer_of_text_labels_takes_the_last_class_as_positive(classes):
    found = classes.predictions
    assert classes.metrics["validation"]["f1"] == f1_score(found["actual"], found["predicted"], pos_label="yes")


def test_the_probabilities_of_validation_rows_are_kept_by_class(classes):
    found = classes.predictions
    assert found.columns.tolist() == ["row", "actual", "predicted", "probability_no", "probability_yes"]
    assert (found["predicted"] == np.where(found["probability_yes"] > 0.5, "yes", "no")).all()


def test_the_best_model_over_the_folds_is_kept(compared, tmp_path):
    board = compared.leaderboard
    assert sorted(board["model"]) == ["boosting", "forest", "net"]
    assert board["rmse"].is_monotonic_increasing
    assert compared.metadata["model"] == board["model"][0]
    folds = pd.DataFrame(compared.metadata["folds"])["rmse"]
    assert compared.metrics["folds"]["rmse"] == board["rmse"][0] == pytest.approx(folds.mean())
    assert compared.metrics["folds_error"]["rmse"] == pytest.approx(folds.std() / np.sqrt(2))
    assert (board["fit_seconds"] > 0).all()
    assert compared.metadata["fit_seconds"] > 0
    compared.save(tmp_path / "r")
    pd.testing.assert_frame_equal(Run.open(tmp_path / "r").leaderboard, board)
    assert json.loads((tmp_path / "r/metrics.json").read_text())["leaderboard"][0]["model"] == board["model"][0]


def test_errors_are_positive_and_folds_follow_time():
    run = train(AUCTIONS, "SalePrice", metric="neg_mean_absolute_error", time_column="saledate", cv_time=2)
    found = run.predictions
    mae = mean_absolute_error(found["actual"], found["predicted"])
    assert run.metrics["validation"]["mean_absolute_error"] == pytest.approx(mae)
    assert len(run.metadata["folds"]) == 2


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("saleprice", {}, "no column 'saleprice' for the target; the nearest to 'saleprice' is 'SalePrice'"),
        ("SalePrice", {"metric": "roc_auc"}, "metric='roc_auc' does not suit a regression"),
        ("SalePrice", {"metric": "median_absolute"}, "the nearest: 'neg_median_absolute_error'"),
        ("state", {"metric": "f1"}, "metric='f1' does not suit this target: Target is multiclass"),
        ("SalePrice", {"cv": 200}, "cv=200 needs at least 200 rows to train on, but there are 120"),
        ("SalePrice", {"cv": 2, "cv_time": 2}, "cv=2 and cv_time=2 cannot be combined"),
        ("SalePrice", {"cv_time": 2}, "cv_time=2 requires time_column"),
        ("SalePrice", {"cv_time": 500, "time_column": "saledate"}, "cv_time=500 needs at least 501 distinct times"),
        ("SalePrice", {"device": "cpu"}, "device='cpu' requires a net"),
        ("SalePrice", {"device": "gpu", "model": "net"}, "device must be 'auto', 'cpu', 'cuda' or 'mps'; got 'gpu'"),
    ],
)
def test_options_are_refused_before_any_fit(target, options, message, monkeypatch):
    monkeypatch.setattr("tabrec.ForestRegressor.fit", None)
    with pytest.raises(ValueError, match=message):
        train(AUCTIONS, target, **options)


def test_a_score_that_cannot_be_computed_is_the_worst():
    rows = (["no"] * 9 + ["yes"]) * 6
    scores = [float("nan"), 0.4, 0.6]
    for name, best in (("f1", 0.6), ("neg_log_loss", 0.4)):
        assert min(scores, key=choose_metric(name, "classification", np.array(rows)).loss) == best


def test_one_class_to_train_on_is_refused():
    frame = pd.DataFrame({"x": range(10), "day": range(10), "y": ["a"] * 8 + ["b"] * 2})
    with pytest.raises(ValueError, match="'y' has one class, 'a', in the 8 rows to train on"):
        train(frame, "y", time_column="day")


def test_probabilities_and_numbers_are_rounded(classes, compared):
    found = classes.predict(CLASSES.head(3), proba=True, decimals=1)
    assert found.columns.tolist() == ["row", "probability_no", "probability_yes"]
    expected = classes.model.predict_proba(CLASSES.head(3)).round(1)
    np.testing.assert_array_equal(found[["probability_no", "probability_yes"]], expected)
    prices = compared.predict(AUCTIONS.head(3), decimals=-3)["SalePrice"]
    assert (prices % 1000 == 0).all()
    with pytest.raises(ValueError, match="proba=True requires classes, but 'SalePrice' is a number"):
        compared.predict(AUCTIONS, proba=True)
    with pytest.raises(ValueError, match="decimals=1 requires numbers"):
        classes.predict(CLASSES, decimals=1)


def test_a_submission_has_the_form_of_the_sample(classes):
    new = CLASSES.head(3).assign(Id=[7, 8, 9])
    probability = classes.model.predict_proba(new)[:, 1]
    sample = pd.DataFrame({"Id": [9, 8, 7], "score": 0.5})
    found = classes.predict(new, proba=True, sample=sample)
    pd.testing.assert_frame_equal(found, pd.DataFrame({"Id": [7, 8, 9], "score": probability}))
    by_class = classes.predict(
        new, proba=True, sample=pd.DataFrame({"yes": 0.5, "Id": [7, 8, 9], "no": 0.5}), id_column="Id"
    )
    assert by_class.columns.tolist() == ["yes", "Id", "no"]
    np.testing.assert_array_equal(by_class["yes"], probability)
    with pytest.raises(ValueError, match="1 id is missing: 5"):
        classes.predict(new, proba=True, sample=pd.DataFrame({"Id": [5, 7, 8, 9], "score": 0.5}))
    with pytest.raises(ValueError, match="The sample has the columns"):
        classes.predict(new, proba=True, sample=pd.DataFrame({"Id": [7, 8, 9], "maybe": 0.5, "no": 0.5}))


def test_stages_are_printed_on_request(capsys):
    train(CLASSES.drop(columns="saledate"), "dear", cv=2, verbose=True)
    printed = capsys.readouterr()
    stages = [line.split("  ")[-1] for line in printed.err.splitlines() if " s  " in line]
    assert stages == [
        "forest: fitting on 2 folds of 120 rows",
        "forest: fitting on 120 rows",
        "forest: scoring on 30 validation rows",
        "forest: fitting on all 150 rows",
    ]
    assert printed.out == ""


def test_only_a_run_is_overwritten(classes, compared, tmp_path):
    classes.save(tmp_path / "r")
    with pytest.raises(FileExistsError, match="exists already"):
        compared.save(tmp_path / "r")
    compared.save(tmp_path / "r", overwrite=True)
    assert Run.open(tmp_path / "r").metadata["target"] == "SalePrice"
    assert [path.name for path in tmp_path.iterdir()] == ["r"]
    (tmp_path / "mine").mkdir()
    with pytest.raises(FileExistsError, match="mine is not a run"):
        compared.save(tmp_path / "mine", overwrite=True)
    (tmp_path / "r/notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"r holds 'notes\.txt', which is not of a run"):
        compared.save(tmp_path / "r", overwrite=True)
    (tmp_path / "r/notes.txt").rename(tmp_path / "r/model/notes.txt")
    with pytest.raises(FileExistsError, match=r"r holds 'model/notes\.txt'"):
        compared.save(tmp_path / "r", overwrite=True)
