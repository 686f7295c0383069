"""Checks that a recommender fulfils the contract of this package."""

from __future__ import annotations

import copy
import pickle
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone, is_regressor
from sklearn.metrics import root_mean_squared_error

from tabrec.collab.metrics import ndcg_at_k
from tabrec.datasets import make_ratings
from tabrec.saving import load, save
from tabrec.saving.class_names import is_registered

Check = Callable[[Any], None]
_UNKNOWN = 10**6  # an id that is not in the data


def check_recommender(estimator: Any) -> None:
    """Run all checks on a recommender.

    Parameters
    ----------
    estimator : Recommender
        An unfitted recommender. It is cloned and not changed. Choose parameters with which it learns quickly from a
        few thousand ratings.

    Raises
    ------
    AssertionError
        The recommender breaks its contract; the name of the failing check is in the traceback.

    See Also
    --------
    parametrize_with_recommender_checks : One pytest test per check.
    recommender_checks : The checks one by one.
    tabrec.collab.Recommender : The base class whose contract is checked.

    Examples
    --------
    >>> from tabrec import BayesianFactorization
    >>> from tabrec.testing import check_recommender
    >>> check_recommender(BayesianFactorization(n_factors=2, n_sweeps=30))
    """
    for check in recommender_checks():
        check(estimator)


def recommender_checks() -> Iterator[Check]:
    """Yield the checks of the contract of recommenders.

    Yields
    ------
    callable
        ``check(estimator)`` raises an AssertionError where a clone of the recommender breaks the contract.

    See Also
    --------
    check_recommender : Runs all of them.
    parametrize_with_recommender_checks : One pytest test per check.

    Examples
    --------
    >>> from tabrec.testing import recommender_checks
    >>> next(recommender_checks()).__name__
    'check_fit_leaves_data_and_parameters_unchanged'
    """
    yield from _CHECKS


def parametrize_with_recommender_checks(estimators: Sequence[Any]) -> Any:
    """Mark a pytest test to run once per recommender and check.

    Parameters
    ----------
    estimators : sequence of Recommender
        Unfitted recommenders.

    Returns
    -------
    pytest.MarkDecorator
        It passes the arguments `estimator` and `check` to the test.

    See Also
    --------
    check_recommender : Runs all checks on one recommender, without pytest.
    recommender_checks : The checks one by one.

    Examples
    --------
    >>> from tabrec import BayesianFactorization
    >>> from tabrec.testing import parametrize_with_recommender_checks
    >>> @parametrize_with_recommender_checks([BayesianFactorization(n_sweeps=30)])
    ... def test_recommender(estimator, check):
    ...     check(estimator)
    """
    import pytest

    cases = [
        pytest.param(estimator, check, id=f"{type(estimator).__name__}-{check.__name__}")
        for estimator in estimators
        for check in recommender_checks()
    ]
    return pytest.mark.parametrize(("estimator", "check"), cases)


def _data() -> tuple[pd.DataFrame, pd.Series]:
    """Return ratings of 60 users and 40 items, each pair at most once."""
    ratings = make_ratings(1_200, n_users=60, n_items=40, random_state=0).drop_duplicates(["user", "item"])
    return ratings[["user", "item"]].reset_index(drop=True), ratings["rating"].reset_index(drop=True)


def _clone(estimator: Any) -> Any:
    made = clone(estimator)
    return made.set_params(random_state=0) if "random_state" in made.get_params() else made


def _fit(estimator: Any) -> Any:
    return _clone(estimator).fit(*_data())


def _raises(error: type[Exception], call: Callable[..., Any], *arguments: Any) -> None:
    try:
        call(*arguments)
    except error:
        return
    raise AssertionError(f"{getattr(call, '__qualname__', call)} does not raise {error.__name__}.")


def check_fit_leaves_data_and_parameters_unchanged(estimator: Any) -> None:
    """Check that fit returns the estimator, and changes neither the table nor the parameters."""
    (X, y), model = _data(), _clone(estimator)
    X_before, y_before, before = X.copy(), y.copy(), model.get_params()
    assert model.fit(X, y) is model, "fit does not return self"
    pd.testing.assert_frame_equal(X, X_before)
    pd.testing.assert_series_equal(y, y_before)
    after = model.get_params()
    assert all(after[name] is value for name, value in before.items()), "fit changes a parameter"


def check_failed_fit_leaves_no_marks(estimator: Any) -> None:
    """Check that a fit that raises an error leaves an unfitted and a fitted model as they were."""
    (X, y), model = _data(), _clone(estimator)
    before = set(vars(model))
    _raises(ValueError, model.fit, X, y.where(y.index > 0))
    assert set(vars(model)) == before, "a failed fit leaves attributes behind"
    predicted = model.fit(X, y).predict(X)
    _raises(ValueError, model.fit, X, y.where(y.index > 0))
    np.testing.assert_array_equal(model.predict(X), predicted)


def check_unknown_ids(estimator: Any) -> None:
    """Check that unknown ids get finite predictions, and a pair of two unknown ids the mean rating."""
    model = _fit(estimator)
    user, item = model.users_[0], model.items_[0]
    pairs = pd.DataFrame({"user": [user, _UNKNOWN, user, _UNKNOWN], "item": [item, item, _UNKNOWN, _UNKNOWN]})
    predicted, path = model.predict(pairs, return_path=True)
    assert np.isfinite(predicted).all(), f"predictions are not finite: {predicted}"
    assert path.tolist() == ["learned", "item bias", "user bias", "global mean"]
    if is_regressor(model):
        np.testing.assert_allclose(predicted[3], model.mean_rating_)
    assert len(model.recommend(_UNKNOWN, 3)) == 3, "an unknown user is recommended nothing"


def check_empty_queries(estimator: Any) -> None:
    """Check that predicting no pairs raises an error, and that no users get no recommendations."""
    model = _fit(estimator)
    _raises(ValueError, model.predict, _data()[0].head(0))
    none = model.recommend([])
    assert none.columns.tolist()[:4] == ["user", "rank", "item", "score"]
    assert len(none) == 0


def check_one_pair_equals_batch(estimator: Any) -> None:
    """Check that a pair has the same prediction alone, in a batch and in a reordered batch."""
    model, pairs = _fit(estimator), _data()[0].head(20)
    together = model.predict(pairs)
    np.testing.assert_allclose([model.predict(pairs.iloc[[row]])[0] for row in range(20)], together, rtol=1e-6)
    np.testing.assert_allclose(model.predict(pairs[::-1])[::-1], together, rtol=1e-6)


def check_ids_of_other_types(estimator: Any) -> None:
    """Check that text ids raise an error if fit had numbers, instead of counting as unknown."""
    model = _fit(estimator)
    _raises(ValueError, model.predict, _data()[0].head(3).astype(str))
    _raises(ValueError, model.recommend, [str(model.users_[0])])
    _raises(ValueError, model.explain, str(model.users_[0]), model.items_[0])


def check_recommendations(estimator: Any) -> None:
    """Check that recommendations exclude seen items, end with the catalogue and are sorted by relevance or score."""
    model, (X, _) = _fit(estimator), _data()
    user, n_items = model.users_[0], len(model.items_)
    seen = X.loc[X["user"] == user, "item"]
    found = model.recommend(user, n_items + 100)
    assert not set(found["item"]) & set(seen), "seen items are recommended"
    assert sorted([*found["item"], *seen]) == sorted(model.items_), "items are missing or repeated"
    assert found["rank"].tolist() == list(range(1, len(found) + 1))
    assert (found[_ordered_by(found)].diff().dropna() <= 1e-9).all(), "scores do not fall with the rank"
    if is_regressor(model):
        by_rating = model.recommend(user, n_items, order="rating")
        assert sorted(by_rating["item"]) == sorted(found["item"])
        assert (by_rating["score"].diff().dropna() <= 1e-9).all(), "ratings do not fall with the rank"
    everything = model.recommend(user, n_items + 100, exclude_seen=False)
    assert len(everything) == n_items
    predicted = model.predict(everything[["user", "item"]])
    np.testing.assert_allclose(everything["score"], predicted, rtol=1e-5, atol=1e-5)
    pd.testing.assert_frame_equal(model.recommend(user, 5), found.head(5))
    chosen = model.recommend(user, 5, exclude_seen=False, candidates=model.items_[:2])
    assert set(chosen["item"]) == set(model.items_[:2]), "candidates are not respected"


def _ordered_by(recommended: pd.DataFrame) -> str:
    return "relevance" if "relevance" in recommended else "score"


def check_invalid_queries(estimator: Any) -> None:
    """Check that unknown candidates, and numbers of recommendations below 1, raise an error."""
    model = _fit(estimator)
    user = model.users_[0]
    for n in (0, -1, 2.5, "3"):
        _raises(ValueError, model.recommend, user, n)
    _raises(ValueError, lambda: model.recommend(user, candidates=[_UNKNOWN]))


def check_ties_by_id(estimator: Any) -> None:
    """Check that items with equal scores are recommended in the order of their ids."""
    X, y = _data()
    items = np.unique(X["item"])
    table = pd.DataFrame({"kind": ["a", "b"] * 30}).head(len(items) + 4)
    # Items without ratings and with equal features are the same to most models.
    table.index = [*items, *(_UNKNOWN + np.arange(4))]
    model = _clone(estimator).set_params(item_features=table).fit(X, y)
    found = model.recommend(model.users_[0], 4, candidates=[_UNKNOWN + 2, _UNKNOWN, _UNKNOWN + 3, _UNKNOWN + 1])
    assert len(found) == 4
    for _, tied in found.groupby(_ordered_by(found)):
        assert tied["item"].is_monotonic_increasing, "ties are not broken by the order of ids"


def check_row_order_does_not_matter(estimator: Any) -> None:
    """Check that the order of the ratings has no effect on the model."""
    X, y = _data()
    order = np.random.default_rng(0).permutation(len(X))
    shuffled = _clone(estimator).fit(X.iloc[order], y.iloc[order])
    np.testing.assert_allclose(shuffled.predict(X), _fit(estimator).predict(X), rtol=1e-6)


def check_repeated_pairs(estimator: Any) -> None:
    """Check that a pair may be rated more than once, and that predictions stay finite."""
    X, y = _data()
    X, y = pd.concat([X, X.head(50)]), pd.concat([y, y.head(50).iloc[::-1]]).to_numpy()
    model = _clone(estimator).fit(X, y)
    assert np.isfinite(model.predict(X)).all()
    assert not model.recommend(model.users_[:5], 5).duplicated(["user", "item"]).any()


def check_new_user(estimator: Any) -> None:
    """Check that new_user returns a model that knows the user, and leaves the model itself unchanged."""
    model, (X, _) = _fit(estimator), _data()
    before, users, state = model.predict(X), model.users_, copy.copy(vars(model))
    given = {model.items_[0]: 5.0, model.items_[1]: 1.0}
    try:
        made = model.new_user(given, user=_UNKNOWN)
    except NotImplementedError:  # new_user is optional
        return
    pair = pd.DataFrame({"user": [_UNKNOWN], "item": [model.items_[2]]})
    assert made.predict(pair, return_path=True)[1].tolist() == ["fold-in"]
    assert not set(made.recommend(_UNKNOWN, 100)["item"]) & set(given), "items that the new user rated are recommended"
    np.testing.assert_allclose(made.predict(X), before, rtol=1e-6)
    np.testing.assert_array_equal(model.predict(X), before)
    assert model.users_.equals(users), "new_user changes the model"
    assert all(vars(model)[name] is value for name, value in state.items()), "new_user changes the model"
    _raises(ValueError, model.new_user, given, users[0])


def check_partial_fit(estimator: Any) -> None:
    """Check that partial_fit learns new users and items, and that its first call equals fit."""
    X, y = _data()
    model = _clone(estimator).partial_fit(X, y)
    np.testing.assert_array_equal(model.predict(X), _fit(estimator).predict(X))
    more = pd.DataFrame({"user": [_UNKNOWN, model.users_[0]], "item": [model.items_[0], _UNKNOWN]})
    model.partial_fit(more, [4.0, 2.0])
    predicted, path = model.predict(more, return_path=True)
    assert path.tolist() == ["learned", "learned"]
    assert np.isfinite(predicted).all()


def check_explanations(estimator: Any) -> None:
    """Check that the parts of an explanation sum to the prediction, and that its ratings are the user's own."""
    model, (X, y) = _fit(estimator), _data()
    user, item = model.users_[0], model.items_[0]
    explanation = model.explain(user, item, n=1000)
    expected = model.predict(pd.DataFrame({"user": [user], "item": [item]}))[0]
    np.testing.assert_allclose([explanation.prediction, explanation.parts.sum()], expected, rtol=1e-5)
    own = y.groupby([X["user"], X["item"]]).first()[user]
    found = explanation.ratings.set_index("item")["rating"].sort_index()
    assert found.index.tolist() == own.index.tolist()
    np.testing.assert_array_equal(found, own)


def check_clone_pickle_and_save(estimator: Any) -> None:
    """Check that clone and pickle, and save and load for classes of this package, keep the predictions."""
    model, (X, _) = _fit(estimator), _data()
    copies = [pickle.loads(pickle.dumps(model)), clone(model).fit(*_data())]
    if is_registered(type(model)):
        with tempfile.TemporaryDirectory() as folder:
            copies.append(load(save(model, Path(folder) / "model")))
    for made in copies:
        np.testing.assert_array_equal(made.predict(X), model.predict(X))
        pd.testing.assert_frame_equal(made.recommend(model.users_[:3], 5), model.recommend(model.users_[:3], 5))


def check_better_than_baseline(estimator: Any) -> None:
    """Check that held-out ratings are predicted better than by their mean, or items ranked better than at random."""
    rng = np.random.default_rng(0)
    if not is_regressor(estimator):
        clicks = pd.DataFrame({"user": rng.integers(100, size=4_000), "item": rng.geometric(0.05, size=4_000)})
        clicks = clicks.drop_duplicates(ignore_index=True)
        train, test = clicks[::2], clicks[1::2]
        model = _clone(estimator).fit(train)
        recommended = model.recommend(np.unique(test["user"]), 10)
        shuffled = recommended.assign(item=rng.choice(model.items_, len(recommended)))
        shuffled = shuffled.drop_duplicates(["user", "item"])
        found, baseline = (ndcg_at_k(items, test, 10) for items in (recommended, shuffled))
        assert found > baseline, f"NDCG {found:.4f}, but items at random have {baseline:.4f}"
        return
    ratings = pd.DataFrame({"user": rng.integers(100, size=4_000), "item": rng.integers(80, size=4_000)})
    user_bias, item_bias = rng.normal(scale=0.7, size=100), rng.normal(scale=0.7, size=80)
    rating = 3 + user_bias[ratings["user"]] + item_bias[ratings["item"]] + rng.normal(scale=0.5, size=4_000)
    ratings["rating"] = rating.round().clip(1, 5)
    train, test = ratings[:3_200], ratings[3_200:]
    model = _clone(estimator).fit(train[["user", "item"]], train["rating"])
    error = root_mean_squared_error(test["rating"], model.predict(test[["user", "item"]]))
    baseline = root_mean_squared_error(test["rating"], np.full(len(test), train["rating"].mean()))
    assert error < baseline, f"RMSE {error:.4f}, but the mean rating has {baseline:.4f}"


_CHECKS: tuple[Check, ...] = (
    check_fit_leaves_data_and_parameters_unchanged,
    check_failed_fit_leaves_no_marks,
    check_unknown_ids,
    check_empty_queries,
    check_one_pair_equals_batch,
    check_ids_of_other_types,
    check_recommendations,
    check_invalid_queries,
    check_ties_by_id,
    check_row_order_does_not_matter,
    check_repeated_pairs,
    check_new_user,
    check_partial_fit,
    check_explanations,
    check_clone_pickle_and_save,
    check_better_than_baseline,
)
