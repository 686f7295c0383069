"""Training after the first fit: new ids, new ratings and changed parameters."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from tabrec import BayesianFactorization, DotProductBias, EmbeddingNN
from tabrec.collab import evaluate, make_ranking_scorer
from tabrec.collab.net_training import draw_validation
from tabrec.datasets import make_ratings

MODELS = {
    "dot": DotProductBias(n_factors=3, epochs=3, random_state=0),
    "nn": EmbeddingNN(layers=(8,), epochs=3, random_state=0),
    "bayes": BayesianFactorization(n_factors=2, n_sweeps=12, n_samples=8, random_state=0),
    "ordinal": BayesianFactorization(n_factors=2, n_sweeps=9, n_samples=6, likelihood="ordinal", random_state=0),
}
RATINGS = make_ratings(550, n_users=40, n_items=30, random_state=0)
X, Y = RATINGS[["user", "item"]], RATINGS["rating"]


@pytest.fixture(scope="module")
def fitted():
    return {name: clone(model).fit(X, Y) for name, model in MODELS.items()}


@pytest.mark.parametrize("n_users", [5, 8, 11, 14])
def test_a_net_grows_past_where_the_width_of_its_embeddings_would_change(n_users):
    users = pd.DataFrame({"user": np.repeat(range(n_users), 2), "item": np.arange(2 * n_users) % 3})
    net = EmbeddingNN(layers=(8,), epochs=1, random_state=0).fit(users, np.arange(2 * n_users) % 5 + 1.0)
    asked = pd.DataFrame({"user": [99], "item": [1]})
    assert np.isfinite(net.new_user({0: 5.0}, user=99).predict(asked)).all()
    assert np.isfinite(
        net.partial_fit(pd.DataFrame({"user": [99, 98], "item": [1, 7]}), [5.0, 1.0]).predict(asked)
    ).all()


@pytest.mark.parametrize("name", MODELS)
def test_a_new_user_does_not_depend_on_who_else_is_new(fitted, name):
    given = pd.DataFrame({"user": np.repeat(range(100, 106), 4), "item": np.tile(X["item"].unique()[:4], 6)})
    given["rating"] = np.random.default_rng(0).choice(Y.unique(), len(given))
    asked = pd.DataFrame({"user": 103, "item": X["item"].unique()})
    together, alone = (fitted[name].new_user(rows).predict(asked) for rows in (given, given[given["user"] == 103]))
    np.testing.assert_allclose(together, alone, atol=1e-6)


@pytest.mark.parametrize("change", [{"likelihood": "ordinal"}, {"implicit_feedback": False}, {"n_factors": 5}])
def test_a_chain_refuses_to_continue_as_another_model(change):
    model = clone(MODELS["bayes"]).fit(X, Y)
    with pytest.raises(ValueError, match=f"got {next(iter(change))}=.*only in a new fit"):
        model.set_params(**change).partial_fit(X[:50], Y[:50])


@pytest.mark.parametrize("name", ["dot", "nn"])
def test_copies_of_a_rating_are_not_parted_for_validation(name):
    model = clone(MODELS[name]).set_params(validation_fraction=0.3, epochs=20, learning_rate=0.02)
    once = model.fit(X, Y).history_["valid_loss"].min()
    thrice = clone(model).fit(X, Y, sample_weight=np.full(len(X), 3)).history_["valid_loss"].min()
    assert thrice > 0.7 * once


@pytest.mark.parametrize("name", ["dot", "nn"])
def test_every_id_keeps_a_rating_to_be_trained_by(name):
    model = clone(MODELS[name]).set_params(validation_fraction=0.5).fit(X, Y)
    is_valid = draw_validation(model._reader.ratings, 0.5, seed=0)
    kept = model._reader.ratings
    assert set(kept.users[~is_valid]) == set(kept.users)
    assert set(kept.items[~is_valid]) == set(kept.items)
    assert 0.3 < is_valid.mean() <= 0.5
    with pytest.raises(ValueError, match="leaves none to validate"):
        clone(model).fit([[1, 1], [2, 2], [3, 3]], [1.0, 2.0, 3.0])


def test_weights_of_further_ratings_are_on_the_scale_of_those_in_fit():
    def after(weights):
        model = clone(MODELS["bayes"]).fit(X, Y, sample_weight=np.full(len(X), 0.5))
        return model.partial_fit(X[:60], 6 - Y[:60], sample_weight=weights).predict(X[:60])

    np.testing.assert_array_equal(after(None), after(np.ones(60)))
    np.testing.assert_allclose(after(np.ones(60)), after(np.full(60, 1.0001)), atol=0.05)


def test_noise_is_that_of_all_ratings_not_of_the_last_few():
    net = clone(MODELS["nn"]).fit(X, Y)
    before = net._scorer.noise_variance
    net.partial_fit(X[:1], net.predict(X[:1]))
    assert net._scorer.noise_variance == pytest.approx(before, rel=0.1)


def test_a_net_folds_in_by_weights():
    given = pd.DataFrame({"user": [99, 99], "item": X["item"].unique()[:2]})
    asked = pd.DataFrame({"user": 99, "item": X["item"].unique()})
    fits = []
    for weights in (None, [1.5, 0.01]):
        net = clone(MODELS["nn"]).set_params(learning_rate=1e-9).fit(X, Y, sample_weight=np.full(len(X), 1.1))
        fits.append(net.partial_fit(given, [5.0, 1.0], sample_weight=weights).predict(asked).mean())
    assert fits[1] > fits[0]


def test_evaluation_bears_repeated_pairs_missing_ids_and_users_who_have_seen_everything():
    train = pd.DataFrame({"user": [1, 1, 1, 2, 3], "item": [1, 1, 1, 1, 2], "rating": [1.0, 2, 3, 4, 5]})
    test = pd.DataFrame({"user": [1, 2, np.nan], "item": [2, 2, 1], "rating": [5.0, 1.0, 3.0]})
    table = evaluate(clone(MODELS["bayes"]), train, test, k=1)
    assert table.loc["biases only", ["n_warm", "n_cold"]].tolist() == [2, 0]
    everything = pd.DataFrame({"user": [1, 1, 2, 2], "item": [1, 2, 1, 2], "rating": [1.0, 5.0, 2.0, 4.0]})
    table = evaluate(clone(MODELS["bayes"]), everything, everything, k=1)
    assert np.isfinite(table.loc["BayesianFactorization", "rmse"])
    model = clone(MODELS["bayes"]).fit(everything[["user", "item"]], everything["rating"])
    assert make_ranking_scorer(k=1)(model, everything[["user", "item"]], everything["rating"]) == 0.0


@pytest.mark.parametrize("ratings", [5.0, "five"])
def test_what_is_no_ratings_is_refused(fitted, ratings):
    with pytest.raises(TypeError, match="mapping or Series of ratings by item"):
        fitted["bayes"].new_user(ratings)
    with pytest.raises(ValueError, match="new_user needs ratings or features of the user"):
        fitted["bayes"].new_user(None)


def test_given_ratings_are_read_by_the_names_of_fit(fitted):
    items = X["item"].unique()[:3]
    by_mapping = fitted["bayes"].new_user(dict(zip(items, [5.0, 1.0, 3.0], strict=True)))
    frame = pd.DataFrame({"item": items, "rating": [5.0, 1.0, 3.0], "timestamp": [1, 2, 3]})
    asked = pd.DataFrame({"user": "new user", "item": X["item"].unique()})
    np.testing.assert_array_equal(by_mapping.predict(asked), fitted["bayes"].new_user(frame).predict(asked))
    with pytest.raises(ValueError, match="must have an item and a rating"):
        fitted["bayes"].new_user(frame.rename(columns={"rating": "stars"}))


@pytest.mark.parametrize("name", ["dot", "nn"])
def test_epochs_are_a_number_and_layers_have_widths(name):
    with pytest.raises(ValueError, match="'epochs' parameter"):
        clone(MODELS[name]).set_params(epochs="auto").fit(X, Y)
    with pytest.raises(ValueError, match=r"layers=\(0,\)"):
        EmbeddingNN(layers=(0,)).fit(X, Y)


def test_chains_at_once_leave_the_threads_of_blas_as_they_were():
    from concurrent.futures import ThreadPoolExecutor

    from threadpoolctl import threadpool_info

    def threads():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before = threads()
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda seed: clone(MODELS["bayes"]).set_params(random_state=seed).fit(X, Y), range(6)))
    assert threads() == before


def test_further_ratings_leave_what_batch_norms_have_learned():
    net = clone(MODELS["nn"]).fit(X, Y)
    before = [block.norm.running_mean.clone() for block in net.model_.blocks]
    net.partial_fit(X[:40], Y[:40])
    assert all((block.norm.running_mean == mean).all() for block, mean in zip(net.model_.blocks, before, strict=True))
