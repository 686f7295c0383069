"""Saving and loading: equal models, no pickle, and errors for damaged folders."""

import datetime
import errno
import json
import pickletools
import uuid
import zipfile
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import VotingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

import tabrec
from tabrec import (
    BoostingClassifier,
    BoostingRegressor,
    Categorify,
    DateParts,
    ElapsedSince,
    FillMissing,
    ForestClassifier,
    ForestRegressor,
    Normalize,
    TabularPreprocessor,
)
from tabrec.datasets import make_auctions
from tabrec.saving import load_metadata


@pytest.fixture(scope="module")
def auctions():
    table = make_auctions(400, random_state=0)
    table["is_sold"] = table["saledate"].dt.day % 2 == 0
    return table.drop(columns="SalePrice"), np.log(table["SalePrice"])


def classes(price):
    return np.array(["low", "middle", "high"])[pd.qcut(price, 3, labels=False)]


SMALL_FOREST = {"n_estimators": 5, "n_jobs": 1, "random_state": 0}
TRANSFORMERS = [
    DateParts(time=True),
    Categorify(min_frequency=3),
    FillMissing(),
    Normalize(),
    Normalize("quantile"),
    ElapsedSince(["is_sold"], date="saledate", group="state"),
    TabularPreprocessor(),
    TabularPreprocessor(
        "net", ordered={"ProductSize": ["Mini", "Compact", "Small", "Medium", "Large / Medium", "Large"]}
    ),
]
REGRESSORS = [
    ForestRegressor(**SMALL_FOREST),
    BoostingRegressor(max_iter=5, random_state=0),
    BoostingRegressor(max_iter=5, random_state=0, early_stopping=True, scoring="neg_mean_absolute_error"),
    make_pipeline(DateParts(), Categorify(), FillMissing(), Normalize(), ForestRegressor(**SMALL_FOREST)),
    TransformedTargetRegressor(ForestRegressor(**SMALL_FOREST), func=np.log, inverse_func=np.exp),
    VotingRegressor([("forest", ForestRegressor(**SMALL_FOREST)), ("boosting", BoostingRegressor(max_iter=5))]),
]


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=repr)
def test_transformer_comes_back_the_same(transformer, auctions, tmp_path):
    X, _ = auctions
    transformer.fit(X)
    back = tabrec.load(tabrec.save(transformer, tmp_path / "model"))
    assert back.get_params() == transformer.get_params()
    pd.testing.assert_frame_equal(back.transform(X), transformer.transform(X))


@pytest.mark.parametrize("regressor", REGRESSORS, ids=lambda model: type(model).__name__)
def test_regressor_comes_back_the_same(regressor, auctions, tmp_path):
    X, y = auctions
    regressor.fit(X, y)
    back = tabrec.load(tabrec.save(regressor, tmp_path / "model"))
    np.testing.assert_array_equal(back.predict(X), regressor.predict(X))


@pytest.mark.parametrize("classifier", [ForestClassifier(**SMALL_FOREST), BoostingClassifier(max_iter=5)], ids=repr)
def test_classifier_comes_back_the_same(classifier, auctions, tmp_path):
    X, y = auctions
    classifier.fit(X, classes(y))
    back = tabrec.load(tabrec.save(classifier, tmp_path / "model"))
    np.testing.assert_array_equal(back.predict_proba(X), classifier.predict_proba(X))
    np.testing.assert_array_equal(back.predict(X), classifier.predict(X))


def test_what_an_ensemble_shares_is_shared_again(auctions, tmp_path):
    members = [("forest", ForestRegressor(**SMALL_FOREST)), ("boosting", BoostingRegressor(max_iter=5))]
    ensemble = VotingRegressor(members).fit(*auctions)
    back = tabrec.load(tabrec.save(ensemble, tmp_path / "model"))
    assert back.named_estimators_.forest is back.estimators_[0]
    assert back.named_estimators_["boosting"] is back.estimators_[1]


def test_forest_keeps_what_it_knows_of_its_rows(auctions, tmp_path):
    forest = ForestRegressor(**SMALL_FOREST).fit(*auctions)
    back = tabrec.load(tabrec.save(forest, tmp_path / "model"))
    np.testing.assert_array_equal(back.oob_prediction_, forest.oob_prediction_)
    for kept, drawn in zip(back.estimators_samples_, forest.estimators_samples_, strict=True):
        np.testing.assert_array_equal(kept, drawn)


def test_preprocessor_goes_on_learning_after_loading(auctions, tmp_path):
    X, _ = auctions
    part = TabularPreprocessor().partial_fit(X.iloc[:200])
    back = tabrec.load(tabrec.save(part, tmp_path / "model")).partial_fit(X.iloc[200:])
    part.partial_fit(X.iloc[200:])
    pd.testing.assert_frame_equal(back.transform(X), part.transform(X))


def test_unfitted_estimator_comes_back_with_its_parameters(tmp_path):
    back = tabrec.load(tabrec.save(ForestRegressor(7, max_features=None), tmp_path / "model"))
    assert back.get_params() == ForestRegressor(7, max_features=None).get_params()


LABELS = [
    *("text", 3, 2.5, True, b"\xff", 2j, uuid.UUID(int=2**100), Decimal("1.10"), np.datetime64("2020", "Y")),
    *(datetime.time(9, 30), datetime.timedelta(1, 2, 3), datetime.date(2020, 1, 2), pd.Timedelta("3ns"), pd.NaT),
    datetime.datetime(2020, 1, 2, tzinfo=ZoneInfo("Europe/Berlin")),
    pd.Timestamp("2020-01-02 03:04:05.000000006", tz="Europe/Berlin"),
    pd.Interval(0, 2.5, closed="left"),
    pd.Interval(pd.Timestamp("2020"), pd.Timestamp("2021")),
    pd.Period("2020-02", "M"),
    frozenset({1, 2}),
]


@pytest.mark.parametrize("label", LABELS, ids=repr)
def test_labels_of_any_kind_come_back(label, tmp_path):
    labels = pd.Series([("a", label), ("b", label)], dtype=object)  # in a tuple, dates are labels too
    fitted = Categorify(["x"]).fit(pd.DataFrame({"x": labels}))
    back = tabrec.load(tabrec.save(fitted, tmp_path / "model"))
    assert repr(back.categories_) == repr(fitted.categories_)
    assert back.transform(pd.DataFrame({"x": labels}))["x"].tolist() == [1, 2]


def test_columns_of_intervals_and_times_come_back(tmp_path):
    X = pd.DataFrame({"bin": pd.cut([1, 5, 9, 5], 3), "time": [datetime.time(hour) for hour in (9, 10, 9, 11)]})
    model = ForestRegressor(2, oob_score=False, random_state=0).fit(X, [1.0, 2, 3, 4])
    back = tabrec.load(tabrec.save(model, tmp_path / "model"))
    np.testing.assert_array_equal(back.predict(X), model.predict(X))


def test_metadata_that_json_does_not_hold_is_refused(tmp_path):
    for metadata in ({"at": datetime.time(9)}, {"score": np.nan}, {1: "a", "1": "b"}, ["rows"]):
        with pytest.raises((TypeError, ValueError), match="metadata"):
            tabrec.save(ForestRegressor(), tmp_path / "model", metadata=metadata)
    assert not list(tmp_path.iterdir())


def test_metadata_is_kept(tmp_path):
    saved = tabrec.save(ForestRegressor(), tmp_path / "model", metadata={"target": "price"})
    assert load_metadata(saved) == {"target": "price"}


def test_existing_path_is_left_alone(tmp_path):
    (tmp_path / "model").mkdir()
    with pytest.raises(FileExistsError, match="exists already"):
        tabrec.save(ForestRegressor(), tmp_path / "model")
    assert list((tmp_path / "model").iterdir()) == []


def test_overwrite_replaces_a_saved_model_or_an_empty_folder(tmp_path):
    (tmp_path / "model").mkdir()
    for n_trees in (3, 4):
        saved = tabrec.save(ForestRegressor(n_trees), tmp_path / "model", overwrite=True)
        assert tabrec.load(saved).n_estimators == n_trees
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("name", ["notes.txt", "part-x.skops", "folder/model.json"])
def test_overwrite_refuses_a_folder_that_holds_other_files(tmp_path, name):
    saved = tabrec.save(ForestRegressor(3), tmp_path / "model")
    (saved / name).parent.mkdir(exist_ok=True)
    (saved / name).write_text("mine")
    with pytest.raises(FileExistsError, match=f"holds '{name.split('/')[0]}', so it is not overwritten"):
        tabrec.save(ForestRegressor(4), saved, overwrite=True)
    assert tabrec.load(saved).n_estimators == 3


def test_overwrite_refuses_a_file_and_replaces_what_a_link_points_to(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError, match="file is not a folder"):
        tabrec.save(ForestRegressor(), tmp_path / "file", overwrite=True)
    saved = tabrec.save(ForestRegressor(3), tmp_path / "model")
    (tmp_path / "link").symlink_to("model")
    tabrec.save(ForestRegressor(4), tmp_path / "link", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert tabrec.load(saved).n_estimators == 4


def test_a_full_disk_is_named_and_leaves_the_earlier_model(tmp_path, monkeypatch):
    saved = tabrec.save(ForestRegressor(3), tmp_path / "model")

    def write(path, content):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", write)
        for path, overwrite in ((saved, True), (tmp_path / "new", False)):
            with pytest.raises(OSError, match=f"{path.name} was not written: no space is left on the disk") as caught:
                tabrec.save(ForestRegressor(4), path, overwrite=overwrite)
            assert caught.value.errno == errno.ENOSPC
    assert tabrec.load(saved).n_estimators == 3
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_what_cannot_be_saved_is_named_and_nothing_is_written(tmp_path):
    with pytest.raises(TypeError, match=r"ForestRegressor\.oob_score is a .*function"):
        tabrec.save(ForestRegressor(oob_score=lambda y, p: 0.0), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_folder_holds_no_pickle(auctions, tmp_path):
    saved = tabrec.save(ForestRegressor(**SMALL_FOREST).fit(*auctions), tmp_path / "model")
    assert {file.suffix for file in saved.iterdir()} == {"", ".json", ".safetensors", ".skops"}
    contents = [file.read_bytes() for file in saved.iterdir() if file.suffix != ".skops"]
    for part in saved.glob("*.skops"):
        with zipfile.ZipFile(part) as archive:
            contents += [archive.read(name) for name in archive.namelist()]
    for content in contents:
        with pytest.raises(ValueError, match="."):
            list(pickletools.genops(content))


@pytest.fixture(scope="module")
def saved(auctions, tmp_path_factory):
    return tabrec.save(ForestRegressor(**SMALL_FOREST).fit(*auctions), tmp_path_factory.mktemp("saved") / "model")


def copy_of(saved, tmp_path):
    copy = tmp_path / "model"
    copy.mkdir()
    for file in saved.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return copy


def file_names():
    return ["model.json", "arrays.safetensors", "part-0.skops", "part-1.skops", "SHA256SUMS"]


@pytest.mark.parametrize("name", file_names())
def test_any_flipped_byte_is_an_error(saved, tmp_path, name):
    copy = copy_of(saved, tmp_path)
    intact = (copy / name).read_bytes()
    for position in (0, len(intact) - 1, *np.random.default_rng(0).choice(len(intact), size=60)):
        damaged = bytearray(intact)
        damaged[position] ^= 1
        (copy / name).write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged"):
            tabrec.load(copy)


@pytest.mark.parametrize("name", file_names())
def test_a_missing_file_is_an_error(saved, tmp_path, name):
    copy = copy_of(saved, tmp_path)
    (copy / name).unlink()
    with pytest.raises(ValueError, match=f"damaged.*{name}"):
        tabrec.load(copy)


@pytest.mark.parametrize("name", file_names())
def test_a_truncated_file_is_an_error(saved, tmp_path, name):
    copy = copy_of(saved, tmp_path)
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="damaged"):
        tabrec.load(copy)


def test_no_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="not a folder with a saved model"):
        tabrec.load(tmp_path / "nothing")


def rewrite(saved, change):
    """Change model.json and its checksum, as an attacker would."""
    import hashlib

    state = json.loads((saved / "model.json").read_text())
    change(state)
    (saved / "model.json").write_text(json.dumps(state))
    sums = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in saved.iterdir()
        if file.name != "SHA256SUMS"
    }
    (saved / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in sums.items()))


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "subprocess.Popen",
        "tabrec.trees.forest_regressor.np",
        "tabrec.nothing.Model",
        "tabrec.__main__.Popen",
        "Popen",
    ],
)
def test_unknown_class_is_refused_by_name(tmp_path, name):
    saved = tabrec.save(ForestRegressor(), tmp_path / "model")
    rewrite(saved, lambda state: state["model"].update(object=name))
    with pytest.raises(ValueError, match=f"holds a {name!r}, which tabrec .* does not know"):
        tabrec.load(saved)


def test_unknown_entry_is_refused(tmp_path):
    saved = tabrec.save(ForestRegressor(), tmp_path / "model")
    rewrite(saved, lambda state: state["model"]["state"].update(n_jobs={"call": "os.system"}))
    with pytest.raises(ValueError, match="of the kind 'call'"):
        tabrec.load(saved)


def test_newer_format_is_refused(tmp_path):
    saved = tabrec.save(ForestRegressor(), tmp_path / "model")
    rewrite(saved, lambda state: state.update(format=99))
    with pytest.raises(ValueError, match="has format 99"):
        tabrec.load(saved)


def test_untrusted_part_is_refused(auctions, tmp_path):
    import skops.io

    saved = tabrec.save(ForestRegressor(**SMALL_FOREST).fit(*auctions), tmp_path / "model")
    (saved / "part-0.skops").write_bytes(skops.io.dumps(pytest.fixture))
    rewrite(saved, lambda state: None)
    with pytest.raises(ValueError, match="which tabrec does not know"):
        tabrec.load(saved)


def test_plain_scikit_learn_model_can_be_saved_too(tmp_path):
    model = LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0])
    assert tabrec.load(tabrec.save(model, tmp_path / "model")).predict([[2.0]]) == pytest.approx(4)


def test_a_forest_of_long_ids_comes_back_the_same(tmp_path):
    X = pd.DataFrame({"id": 3_000_000_000 + np.arange(40), "stamp": 20_240_101_000_000 + 10**9 * np.arange(40) ** 2})
    forest = ForestRegressor(**SMALL_FOREST).fit(X, np.arange(40) % 7)
    tabrec.save(forest, tmp_path / "model")
    assert np.array_equal(tabrec.load(tmp_path / "model").predict(X), forest.predict(X))
