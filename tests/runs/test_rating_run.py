"""`tabrec rate`, `recommend` and `similar`: runs are saved atomically; errors are one line with exit code 2."""

import json
import sys
import warnings

import numpy as np
import pandas as pd
import pytest

import tabrec
from tabrec.cli import main
from tabrec.collab import evaluate
from tabrec.datasets import make_ratings
from tabrec.runs import RatingRun, rate, read_ratings, train
from tabrec.runs.hold_out import hold_out
from tabrec.runs.recommender_run import parse_ids

pytestmark = pytest.mark.usefixtures("small_models")

RATINGS = make_ratings(800, n_users=40, n_items=50, random_state=0)
TITLES = RATINGS["item"].map("Film [b]{:02}[/b], The ($1,000)".format)
MODELS = ["dot", "nn", "bayes"]


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run the program in an empty folder and return its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)

    def run_main(*arguments):
        monkeypatch.setattr(sys, "argv", ["tabrec", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        return stopped.value.code or 0, printed.out, printed.err

    return run_main


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    RATINGS.to_csv(folder / "ratings.csv", index=False)
    RATINGS.to_parquet(folder / "ratings.parquet", index=False)
    RATINGS.to_csv(folder / "semicolons.csv", index=False, sep=";")
    RATINGS.assign(title=TITLES)[["rating", "title", "user"]].to_csv(folder / "titles.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def rated():
    return {name: rate(RATINGS, model=name) for name in MODELS}


@pytest.fixture(scope="module")
def saved(rated, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    titled = rate(RATINGS.assign(title=TITLES), item="title", rating="rating", model="dot")
    titled.save(folder / "titles")
    for name, made in rated.items():
        made.save(folder / name)
    return folder


def assert_one_line(error, *parts):
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) == 1, error
    assert error.startswith("error: ")
    for part in parts:
        assert part in error, error


def assert_only_popularity_is_mentioned(complained):
    """A recommender of ratings may rank worse than popular items, which is a warning."""
    assert not complained or ("ranks worse than the most popular items" in complained and complained.count("\n") == 1)


# --- A run -----------------------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("name", MODELS)
def test_the_model_is_fitted_to_all_ratings_and_scored_on_those_held_out(rated, name):
    made = rated[name]
    assert made.metadata["ratings"] == {"train": 640, "validation": 160}
    assert made.metadata["users"] == len(made.model.users_) == RATINGS["user"].nunique()
    assert made.metadata["items"] == RATINGS["item"].nunique()
    assert made.model.mean_rating_ == pytest.approx(RATINGS["rating"].mean())
    rows = made.predictions["row"].to_numpy()
    assert made.predictions["actual"].tolist() == RATINGS["rating"].iloc[rows].tolist()
    rmse = np.sqrt(np.mean((made.predictions["actual"] - made.predictions["predicted"]) ** 2))
    assert made.scores.iloc[0]["rmse"] == pytest.approx(rmse)
    columns = ["user", "item", "rating"]
    train, test = RATINGS[columns].drop(index=rows), RATINGS[columns].iloc[rows]
    expected = evaluate(type(made.model)(random_state=0), train, test)
    pd.testing.assert_frame_equal(made.scores, expected)


def test_the_same_seed_is_the_same_run_and_another_holds_out_other_ratings(rated):
    again = rate(RATINGS, model="dot")
    pd.testing.assert_frame_equal(again.predictions, rated["dot"].predictions)
    assert again.predictions["row"].tolist() == hold_out(RATINGS, random_state=0)[1].tolist()
    assert set(hold_out(RATINGS, random_state=1)[1]) != set(again.predictions["row"])


def test_with_a_time_column_the_latest_fifth_is_held_out():
    held_out = np.sort(np.argsort(RATINGS["timestamp"].to_numpy(), kind="stable")[-160:])
    made = rate(RATINGS, time_column="timestamp", model="dot")
    assert sorted(made.predictions["row"]) == held_out.tolist()
    assert made.model.feature_names_in_.tolist() == ["user", "item"]
    dates = pd.to_datetime(RATINGS["timestamp"], unit="s").astype(str)
    assert sorted(hold_out(RATINGS.assign(timestamp=dates), time_column="timestamp")[1]) == held_out.tolist()


def test_side_tables_are_used_and_the_callers_frames_stay_as_they_are():
    frame = RATINGS.copy()
    table = pd.DataFrame({"genre": np.array(["a", "b"])[np.arange(60) % 2]}, index=range(1, 61))
    made = rate(frame, model="dot", item_features=table)
    pd.testing.assert_frame_equal(frame, RATINGS)
    assert made.model.predict(pd.DataFrame({"user": [1], "item": [60]}), return_path=True)[1].tolist() == ["metadata"]


def test_columns_are_found_by_their_names_or_are_those_named(rated):
    moved = RATINGS[["timestamp", "rating", "item", "user"]]
    pd.testing.assert_frame_equal(rate(moved, model="dot").predictions, rated["dot"].predictions)
    made = rate(moved, user="user", item="item", rating="rating", model="dot")
    pd.testing.assert_frame_equal(made.predictions, rated["dot"].predictions)
    made = rate(RATINGS[["timestamp", "item", "user", "rating"]], user="user", time_column="timestamp", model="dot")
    assert (made.metadata["item"], made.metadata["rating"]) == ("item", "rating")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "forest"}, "The 'model' parameter of rate must be a str among {.*}. Got 'forest' instead"),
        ({"user": "who"}, "no column 'who'.*'user'"),
        ({"user": "user", "item": "user"}, "different columns"),
        ({"time_column": "timestamp", "rating": "timestamp"}, "different columns"),
    ],
    ids=str,
)
def test_options_that_mean_nothing_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        rate(RATINGS, **options)


def test_columns_that_look_swapped_are_taken_where_they_are_named():
    made = rate(RATINGS, user="item", item="user", model="dot")
    assert made.model.users_.tolist() == sorted(RATINGS["item"].unique())


def test_too_few_ratings_or_columns_are_refused():
    with pytest.raises(ValueError, match="1 row.* too few"):
        rate(RATINGS.head(1))
    with pytest.raises(ValueError, match="needs a user, an item and a rating"):
        rate(RATINGS[["user", "item"]])


def test_ratings_without_an_id_are_left_out_wherever_they_are():
    holes = RATINGS.astype({"user": float})
    holes.loc[::40, "user"] = np.nan
    with pytest.warns(UserWarning, match="no user or no item"):
        made = rate(holes, model="dot")
    assert np.isfinite(made.scores["rmse"].iloc[0])


def test_ids_on_a_command_line_are_of_the_type_of_the_known_ones():
    assert parse_ids(["3", "4.0"], pd.Index([1, 2])) == [3, 4.0]
    assert parse_ids(["3", "x"], pd.Index(["1", "2"])) == ["3", "x"]
    with pytest.raises(ValueError, match=r"user \['x'\] should be numbers, such as 1"):
        parse_ids(["x"], pd.Index([1, 2], name="user"))


# --- A saved run -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_a_saved_run_has_the_model_its_metrics_and_its_predictions(rated, saved, name):
    folder = saved / name
    assert sorted(path.name for path in folder.iterdir()) == ["metrics.json", "model", "predictions.csv"]
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["model"] == name
    best = metrics["metrics"][type(rated[name].model).__name__]
    assert best["rmse"] == pytest.approx(rated[name].scores["rmse"].iloc[0])
    assert set(metrics["metrics"]) == {type(rated[name].model).__name__, "biases only", "most popular"}
    assert "rmse" not in metrics["metrics"]["most popular"]
    pd.testing.assert_frame_equal(pd.read_csv(folder / "predictions.csv"), rated[name].predictions)
    back = RatingRun.open(folder)
    assert back.metrics == metrics["metrics"]
    pairs = RATINGS[["user", "item"]]
    np.testing.assert_array_equal(back.model.predict(pairs), rated[name].model.predict(pairs))
    np.testing.assert_array_equal(tabrec.load(folder / "model").predict(pairs), back.model.predict(pairs))


def test_a_run_that_cannot_be_saved_leaves_nothing(rated, tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(FileExistsError):
        rated["bayes"].save(tmp_path / "there")
    assert list((tmp_path / "there").iterdir()) == []
    broken = rate(RATINGS, model="dot")
    broken.model.user_features = object()
    with pytest.raises(TypeError):
        broken.save(tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


# --- rate ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_rate_then_recommend_then_similar(run, tables, rated, tmp_path, name):
    code, printed, complained = run("rate", tables / "ratings.csv", "--model", name, "--out", "runs/ml")
    assert code == 0
    assert_only_popularity_is_mentioned(complained)
    for part in (name, "biases only", "most popular", "RMSE", "640", f"{rated[name].scores['rmse'].iloc[0]:.4f}"):
        assert part in printed
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "runs/ml/predictions.csv"), rated[name].predictions)

    code, printed, _ = run("recommend", "runs/ml", "--user", "3", "-n", "4")
    assert code == 0
    expected = rated[name].model.recommend(3, 4)
    for item, score in zip(expected["item"], expected["score"], strict=True):
        assert any(f" {item} " in line and f"{score:.3f}" in line for line in printed.splitlines())

    item = RATINGS["item"].iloc[0]
    code, printed, _ = run("similar", "runs/ml", item, "-n", "3")
    assert code == 0
    for other in rated[name].model.similar_items(item, 3)["similar"]:
        assert f" {other} " in printed


def test_other_files_are_the_same_ratings(run, tables, rated, tmp_path):
    expected = read_ratings(tables / "ratings.csv")[0]
    pd.testing.assert_frame_equal(read_ratings(tables / "ratings.parquet")[0].astype(expected.dtypes), expected)
    code, _, _ = run("rate", tables / "semicolons.csv", "--delimiter", ";", "--model", "dot", "--out", "runs/ml")
    assert code == 0
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "runs/ml/predictions.csv"), rated["dot"].predictions)


def test_a_run_goes_to_a_free_folder_by_itself(run, tables, tmp_path):
    (tmp_path / "runs/ratings-dot").mkdir(parents=True)
    code, printed, _ = run("rate", tables / "ratings.csv", "--model", "dot")
    assert code == 0
    assert "runs/ratings-dot-2" in printed
    assert (tmp_path / "runs/ratings-dot-2/model").is_dir()


RATE_MISTAKES = {
    "no such file": (["nowhere.csv"], "nowhere.csv"),
    "unknown model": (["{}/ratings.csv", "--model", "svd"], "'svd' is not one of dot, nn, bayes"),
    "unknown column": (["{}/ratings.csv", "--item", "film"], "no column 'film'"),
    "the same column twice": (["{}/ratings.csv", "--item", "user", "--user", "user"], "different columns"),
    "clicks without ratings": (["{}/clicks.csv"], "no column of ratings"),
    "text for ratings": (["{}/titles.csv", "--user", "user", "--item", "rating", "--rating", "title"], "Film"),
    "a rating is missing": (["{}/missing.csv"], "NaN"),
    "two columns": (["{}/two.csv"], "needs a user, an item and a rating"),
    "one row": (["{}/one.csv"], "too few"),
    "another delimiter": (["{}/semicolons.csv", "--delimiter", ","], "The delimiter appears to be ';'"),
}


@pytest.mark.parametrize("mistake", RATE_MISTAKES)
def test_a_mistake_in_rate_is_one_line_and_nothing_is_written(run, tables, tmp_path, mistake):
    RATINGS[["user", "item", "timestamp"]].to_csv(tables / "clicks.csv", index=False)
    RATINGS.assign(rating=RATINGS["rating"].where(RATINGS.index != 5)).to_csv(tables / "missing.csv", index=False)
    RATINGS[["user", "rating"]].to_csv(tables / "two.csv", index=False)
    RATINGS.head(1).to_csv(tables / "one.csv", index=False)
    arguments, message = RATE_MISTAKES[mistake]
    code, printed, complained = run("rate", *(text.format(tables) for text in arguments), "--out", "runs/ml")
    assert code == 2
    assert not printed or "delimiter ',', UTF-8" in printed.splitlines()[0]
    assert_one_line(complained, message)
    assert not list(tmp_path.glob("**/*"))


def test_rate_prints_the_columns_that_it_found(run, tables, rated, tmp_path):
    moved = RATINGS.rename(columns={"user": "customer_id", "item": "SKU", "rating": "stars"})
    moved[["timestamp", "stars", "SKU", "customer_id"]].to_csv(tmp_path / "moved.csv")
    code, printed, complained = run("rate", "moved.csv", "--model", "dot", "--out", "r")
    assert code == 0
    assert_only_popularity_is_mentioned(complained)
    assert "Columns: users 'customer_id', items 'SKU', ratings 'stars'." in printed
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "r/predictions.csv"), rated["dot"].predictions)


def test_ids_of_a_file_are_text_as_written_unless_all_are_whole_numbers(run, tmp_path):
    first = 1234567890123456000
    users = ["001", "01", "1", "", str(first), str(first + 1)]
    text = "".join(f"{users[k % 6]},{['NA', 'null', 'nan', '0000001074', 'x'][k % 5]},{k % 4 + 1}\n" for k in range(30))
    (tmp_path / "r.csv").write_text("user,item,rating\n" + text)
    ratings, _ = read_ratings(tmp_path / "r.csv")
    assert sorted(ratings["user"].dropna().unique()) == sorted(set(users) - {""})
    assert sorted(ratings["item"].unique()) == ["0000001074", "NA", "nan", "null", "x"]
    assert ratings["rating"].dtype == np.int64
    with pytest.warns(UserWarning, match="5 of 30 ratings have no user"):
        rate(ratings, model="dot").save(tmp_path / "run")
    assert run("recommend", "run", "--user", first + 1, "--seen")[1].startswith(f"user {first + 1}\n")
    assert "0000001074" in run("similar", "run", "NA")[1]
    (tmp_path / "n.csv").write_text("user,item,rating\n1,10,3\n2,,4\n2,30,5\n")
    numbers, _ = read_ratings(tmp_path / "n.csv")
    assert numbers["user"].tolist() == [1, 2, 2]
    assert numbers["item"].dropna().tolist() == [10, 30]


@pytest.mark.parametrize(("delimiter", "time"), [("\t", True), (",", False)])
def test_ratings_without_a_header_need_no_names(tmp_path, delimiter, time):
    expected = RATINGS[["user", "item", "rating", "timestamp"][: 3 + time]]
    expected.to_csv(tmp_path / "u.data", sep=delimiter, header=False, index=False)
    ratings, _ = read_ratings(tmp_path / "u.data")
    pd.testing.assert_frame_equal(ratings, expected, check_dtype=False)
    assert "no header" in ratings.attrs["assumed"]


def test_rate_writes_over_nothing(run, tables, tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/note.txt").write_text("mine")
    code, _, complained = run("rate", tables / "ratings.csv", "--out", "runs")
    assert code == 2
    assert_one_line(complained, "runs")
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["note.txt"]


# --- recommend and similar -------------------------------------------------------------------------------------------


def test_recommendations_for_all_users_go_to_a_file(run, saved, rated, tmp_path):
    code, printed, _ = run("recommend", saved / "bayes", "-n", "3", "--out", "top.csv")
    assert code == 0
    n_users = RATINGS["user"].nunique()
    assert f"{3 * n_users} recommendations for {n_users} users are in top.csv" in printed
    written = pd.read_csv(tmp_path / "top.csv")
    pd.testing.assert_frame_equal(written, rated["bayes"].model.recommend(rated["bayes"].model.users_, 3))


def test_several_users_are_each_shown_and_an_unknown_one_is_called_so(run, saved):
    code, printed, complained = run("recommend", saved / "bayes", "--user", "3", "--user", "99999", "-n", "2")
    assert (code, complained) == (0, "")
    assert "user 3\n" in printed
    assert "user 99999 (unknown; shows the recommendations for any new user)" in printed


def test_seen_items_are_recommended_on_demand(run, saved, rated, tmp_path):
    run("recommend", saved / "bayes", "--user", "3", "-n", "500", "--out", "unseen.csv")
    run("recommend", saved / "bayes", "--user", "3", "-n", "500", "--seen", "--out", "all.csv")
    unseen, everything = (set(pd.read_csv(tmp_path / name)["item"]) for name in ("unseen.csv", "all.csv"))
    assert everything - unseen == set(RATINGS["item"][RATINGS["user"] == 3])


def test_titles_are_written_as_they_are(run, saved):
    title = TITLES.iloc[0]
    code, printed, _ = run("similar", saved / "titles", title, "-n", "2")
    assert code == 0
    assert printed.count("[b]") == 2
    assert ", The ($1,000)" in printed


def test_an_unknown_title_is_answered_by_the_nearest(run, saved):
    code, _, complained = run("similar", saved / "titles", "film [b]07")
    assert code == 2
    assert_one_line(complained, "'film [b]07' is not known", "'Film [b]07[/b], The ($1,000)'")


MISTAKES = {
    "no user": (["recommend", "{}/bayes"], "--user 196"),
    "no run": (["recommend", "{}/nothing", "--user", "3"], "nothing"),
    "a folder without a run": (["recommend", "{}", "--user", "3"], "model"),
    "a text for a number": (["recommend", "{}/bayes", "--user", "bob"], "should be numbers"),
    "an unknown item": (["similar", "{}/bayes", "99999"], "99999"),
    "a text for an item": (["similar", "{}/bayes", "Alien"], "should be numbers"),
    "no run to compare in": (["similar", "{}/nothing", "3"], "nothing"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(run, saved, tmp_path, mistake):
    arguments, message = MISTAKES[mistake]
    code, printed, complained = run(*(text.format(saved) for text in arguments))
    assert code == 2
    assert not printed or printed.endswith("delimiter ',', UTF-8.\n")
    assert_one_line(complained, message)
    assert not list(tmp_path.glob("**/*"))


def test_an_item_that_is_unknown_is_named_plainly(run, saved):
    assert_one_line(run("similar", saved / "bayes", "99999")[2], "item 99999 is not known")


def test_recommend_writes_over_nothing(run, saved, tmp_path):
    (tmp_path / "top.csv").write_text("mine")
    code, _, complained = run("recommend", saved / "bayes", "--out", "top.csv")
    assert code == 2
    assert_one_line(complained, "top.csv")
    assert (tmp_path / "top.csv").read_text() == "mine"


@pytest.mark.parametrize("n", ["0", "-1", "x"])
def test_a_number_of_recommendations_that_is_none_is_refused(run, saved, n):
    for arguments in (
        ["recommend", saved / "bayes", "--user", "3", "-n", n],
        ["similar", saved / "bayes", "3", "-n", n],
    ):
        code, _, complained = run(*arguments)
        assert code == 2
        assert "-n" in complained


def test_a_run_of_train_recommends_nothing(run, tmp_path):
    frame = pd.DataFrame({"x": np.arange(100.0), "y": np.arange(100.0) % 7})
    train(frame, "y").save(tmp_path / "forest")
    code, _, complained = run("recommend", tmp_path / "forest", "--user", "3")
    assert code == 2
    assert_one_line(complained, "ForestRegressor, which is not a recommender: use `tabrec predict`")


@pytest.mark.real_data("ml-100k/u.data", "ml-100k/u.item")
def test_a_movielens_folder_is_read_by_titles_with_its_side_tables(data_dir):
    ratings, tables = read_ratings(data_dir / "ml-100k")
    assert ratings.columns.tolist()[:3] == ["user", "title", "rating"]
    assert len(ratings) == 100_000
    assert ratings["title"].isin(tables["item_features"].index).all()
    assert tables["user_features"].index.tolist() == sorted(ratings["user"].unique())
