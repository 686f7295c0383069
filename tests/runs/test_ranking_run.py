"""`rank`, `tabrec rank`, `recommend` and `similar`: scores are those of the comparison, runs are saved and opened."""

import sys
import warnings

import pandas as pd
import pytest

from tabrec import EASE, BoostingClassifier, ItemKNN, TwoStageRecommender
from tabrec.cli import main
from tabrec.cli._printing import print_ranking_scores
from tabrec.collab import compare_recommenders
from tabrec.datasets import make_interactions
from tabrec.runs import RankingRun, RatingRun, RecommenderRun, Run, model_card, rank

CLICKS = make_interactions(2_000, n_users=90, n_items=100, random_state=0)
IDS = ["user", "item"]


@pytest.fixture(scope="module")
def all_models():
    return rank(CLICKS, model="all")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "clicks"
    rank(CLICKS, model="ease").save(folder)
    return folder


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


def test_scores_are_those_of_the_comparison_and_the_model_has_all_rows(saved):
    opened = Run.open(saved)
    table = compare_recommenders([EASE()], CLICKS).table
    for metric in ("ndcg", "ndcg_se", "recall", "coverage"):
        assert opened.scores.loc["EASE", metric] == pytest.approx(table.loc["EASE", metric])
        assert opened.scores.loc["Popular", metric] == pytest.approx(table.loc["Popular", metric])
    expected = EASE().fit(CLICKS[IDS]).recommend([3], 5)
    pd.testing.assert_frame_equal(opened.recommend([3], 5), expected)
    assert sum(opened.metadata["interactions"].values()) == len(CLICKS)
    card = model_card(saved)
    assert "An EASE that learned which `item` each `user` chose, and recommends." in card
    assert f"{opened.metadata['interactions']['validation']:,} of {len(CLICKS):,} interactions were held out" in card
    assert "A user without interactions gets the recommendations of any new user." in card
    assert "by 'timestamp'" in opened.metadata["split"]


def test_each_kind_opens_its_own(saved):
    assert type(Run.open(saved)) is type(RecommenderRun.open(saved)) is type(RankingRun.open(saved)) is RankingRun
    with pytest.raises(ValueError, match="holds EASE, which does not predict ratings"):
        RatingRun.open(saved)


def test_all_keeps_the_best_model(all_models):
    scores = all_models.scores
    compared = ["EASE", "ImplicitALS", "ItemKNN", "BlendedRecommender"]
    assert sorted(scores.index) == sorted([*compared, "Popular"])
    assert all_models.metadata["kept"] == scores.loc[compared, "ndcg"].idxmax() == scores.index[0]
    assert type(all_models.model).__name__ == scores.index[0]


def test_strengths_reach_the_model():
    plays = CLICKS[IDS].assign(plays=CLICKS["position"])
    found = rank(plays, model="ease")
    assert found.metadata["strength"] == "plays"
    expected = EASE().fit(plays[IDS], plays["plays"]).recommend([1, 2])
    pd.testing.assert_frame_equal(found.recommend([1, 2]), expected)
    with pytest.raises(ValueError, match="too few"):
        rank(plays.head(3))


@pytest.mark.parametrize("kind", IDS)
def test_one_user_or_one_item_is_refused(kind):
    with pytest.raises(ValueError, match=f"All 2,000 interactions have the same {kind}, 'x' in the column '{kind}'"):
        rank(CLICKS.assign(**{kind: "x"}))


def test_lists_of_items_are_refused():
    with pytest.raises(TypeError, match=r"holds lists: .*frame\.explode\('item'\)"):
        rank(CLICKS.groupby("user")["item"].apply(list).reset_index())
    with pytest.raises(TypeError, match=r"own row, as in X\.explode\('item'\)"):
        EASE().fit(CLICKS.groupby("user")["item"].apply(list).reset_index())


def test_interactions_without_an_id_are_left_out_and_said():
    gaps = CLICKS[IDS].astype("Int64")
    gaps.loc[7, "item"] = pd.NA
    with pytest.warns(UserWarning, match="1 of 2000 interactions have no user or no item.*the first in row 7"):
        found = rank(gaps, model="popular")
    assert sum(found.metadata["interactions"].values()) == len(CLICKS) - 1


def test_two_stages_learn_from_the_times(monkeypatch):
    def small(**options):
        return TwoStageRecommender([EASE(), ItemKNN()], BoostingClassifier(max_iter=3), n_draws=1, **options)

    monkeypatch.setattr("tabrec.TwoStageRecommender", small)
    found = rank(CLICKS, time_column="timestamp", model="two-stage")
    assert found.model.time == "timestamp"
    assert any("days_since" in name for name in found.model.feature_names_)
    assert len(found.recommend([3], n=2)) == 2
    assert rank(CLICKS[IDS], model="two-stage").model.time is None


def test_the_program_trains_recommends_and_finds_similar_items(run, tmp_path):
    CLICKS.drop(columns="position").rename(columns={"item": "page"}).to_csv(tmp_path / "clicks.csv", index=False)
    options = ["--item", "page", "--time-column", "timestamp", "--model", "knn"]
    code, printed, complained = run("rank", "clicks.csv", *options, "--out", "r")
    assert (code, complained) == (0, "")
    assert "Columns: users 'user', items 'page', no strengths, times 'timestamp'." in printed
    assert "Popular" in printed
    assert "has the highest NDCG@10" in printed
    model = Run.open("r").model
    code, printed, _ = run("recommend", "r", "--user", "3", "-n", "2")
    assert code == 0
    assert "score" in printed
    assert all(str(item) in printed for item in model.recommend([3], 2)["item"])
    assert run("similar", "r", "5")[0] == 0
    assert run("recommend", "r", "--out", "top.csv")[0] == 0
    assert len(pd.read_csv("top.csv")) == 10 * CLICKS["user"].nunique()


def test_names_and_titles_of_scores_fit_80_columns(all_models, monkeypatch, capsys):
    metrics = {"TwoStageRecommender": all_models.metrics["EASE"], **all_models.metrics}
    metadata = all_models.metadata | {"kept": "TwoStageRecommender"}
    monkeypatch.setattr("tabrec.cli._printing.console.width", 80)
    print_ranking_scores(RankingRun(all_models.model, metadata, metrics, None))
    printed = capsys.readouterr().out
    assert "…" not in printed
    assert all(f" {title} " in printed for title in ("TwoStageRecommender", "NDCG@10", "precision", "coverage"))


def test_baskets_are_ranked(run, tmp_path):
    text = "\n".join(";".join(map(str, items)) for _, items in CLICKS.groupby("user")["item"])
    (tmp_path / "baskets.txt").write_text(text)
    code, printed, complained = run("rank", "baskets.txt", "--baskets", "--model", "popular", "--out", "r")
    assert (code, complained) == (0, "")
    assert f"{len(CLICKS):,} interactions, {CLICKS['user'].nunique()} users" in printed


def test_a_random_split_beside_times_is_said_by_rate(run, tmp_path):
    from tabrec.datasets import make_ratings

    make_ratings(300, n_users=20, n_items=30, random_state=0).to_csv(tmp_path / "r.csv", index=False)
    _, printed, _ = run("rate", "r.csv", "--model", "dot", "--out", "ml")
    assert "random fifth is held out, although 'timestamp' has times: --time-column" in printed


def test_explain_writes_the_page_of_a_run(saved, run, empty_figures):
    code, printed, _ = run("explain", saved, "-o", "page.html")
    assert code == 0
    assert "page.html" in printed
