"""Plots of recommenders: drawn values, and labels with special characters."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from tabrec import BayesianFactorization, DotProductBias, EmbeddingNN
from tabrec.plotting.axes import shorten
from tabrec.plotting.maps import principal_components

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from matplotlib.figure import Figure  # noqa: E402

MODELS = {
    "dot": DotProductBias(n_factors=3, epochs=30, learning_rate=0.05, weight_decay=0.0, init_std=0.1, random_state=0),
    "nn": EmbeddingNN(
        layers=(16,), embedding_size=4, batch_size=64, epochs=30, learning_rate=0.03, embedding_std=0.1, random_state=0
    ),
    "bayes": BayesianFactorization(n_factors=2, n_sweeps=20, n_burn_in=8, random_state=0),
}
EACH = pytest.mark.parametrize("name", MODELS)
ODD_LABELS = {
    0: "$9.99",
    1: "cost $5 and $6",
    2: "two\nlines",
    3: "🎬 film 👩‍👩‍👧",
    4: "a title that is far too long to be written as it is, of 1994",
    5: "",
    6: r"\alpha_{1}^2 100% & #1 ~ <b>",
    7: None,
    8: np.nan,
    9: "$\\frac{1}{2}",
    10: "tab\there",
    11: "العربية",
}


def make_ratings():
    """Even users like even items and odd users odd items; items with lower ids have more ratings."""
    user, item = (codes.ravel() for codes in np.mgrid[:30, :12])
    rated = user >= item
    return pd.DataFrame({"user": user, "item": item})[rated], np.where(user % 2 == item % 2, 5.0, 1.0)[rated]


X, Y = make_ratings()


@pytest.fixture(scope="module")
def fitted():
    return {name: clone(model).fit(X, Y) for name, model in MODELS.items()}


def texts(ax):
    return [text.get_text() for text in ax.texts]


@EACH
def test_the_items_with_most_ratings_are_drawn_by_their_ids(fitted, name):
    ax = fitted[name].plot_items(5)
    assert sorted(texts(ax)) == ["0", "1", "2", "3", "4"]
    assert ax.get_title() == "The 5 items with most ratings"
    assert ax.get_xlabel() == "first principal component"
    assert len(ax.collections[0].get_offsets()) == 5
    assert len(texts(fitted[name].plot_items())) == 12


@EACH
def test_items_that_the_same_people_like_lie_together(fitted, name):
    ax = fitted[name].plot_items(12)
    at = {int(text.get_text()): text.xy for text in ax.texts}
    first = pd.Series({item: place[0] for item, place in at.items()})
    assert first[first.index % 2 == 0].max() < first[first.index % 2 == 1].min() or (
        first[first.index % 2 == 1].max() < first[first.index % 2 == 0].min()
    )


@EACH
def test_the_first_axis_spreads_more_than_the_second(fitted, name):
    points = np.asarray(fitted[name].plot_items(12).collections[0].get_offsets())
    assert points[:, 0].std() >= points[:, 1].std()
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Glyph .* missing from font:UserWarning")
def test_labels_are_written_whatever_they_hold(fitted, tmp_path):
    ax = fitted["bayes"].plot_items(12, labels=pd.Series(ODD_LABELS))
    ax.figure.savefig(tmp_path / "items.png")
    written = texts(ax)
    assert len(written) == 12
    assert r"\$9.99" in written
    assert r"cost \$5 and \$6" in written
    assert "two lines" in written
    assert any(text.startswith("🎬") for text in written)
    assert not any(len(text.replace("\\$", "$")) > 32 for text in written)
    assert (tmp_path / "items.png").stat().st_size > 5_000


@pytest.mark.parametrize(
    ("label", "written"),
    [
        ("short", "short"),
        (" a \n b\t c ", "a b c"),
        (5, "5"),
        ("x" * 32, "x" * 32),
        ("x" * 33, "x" * 21 + "…" + "x" * 10),
        ("one two three four five six seven", "one two three four fiv…six seven"),
        ("Willy Wonka and the Chocolate Factory (1971)", "Willy Wonka and the Choc… (1971)"),
        ("From Dusk Till Dawn, the one of (1996)", "From Dusk Till Dawn, the… (1996)"),
        ("Twenty four letters now: (and more) (1996)", "Twenty four letters now… (1996)"),
        ("Strange (1996) years are in the middle", "Strange (1996) years…the middle"),
        ("$1 or $2", r"\$1 or \$2"),
        ("", ""),
    ],
)
def test_a_label_is_on_one_line_and_not_too_long(label, written):
    assert shorten(label) == written


@pytest.mark.parametrize("labels", [pd.Series({0: "zero"}), {0: "zero"}], ids=["series", "mapping"])
def test_items_without_a_label_go_by_their_ids(fitted, labels):
    assert sorted(texts(fitted["bayes"].plot_items(3, labels=labels))) == ["1", "2", "zero"]


def test_the_callers_axes_are_drawn_on_and_no_figure_is_left_open(fitted):
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    axes = Figure().subplots(1, 2)
    assert fitted["bayes"].plot_items(4, ax=axes[1]) is axes[1]
    assert len(axes[1].texts) == 4
    assert not axes[0].texts
    fitted["bayes"].plot_items(4)
    assert plt.get_fignums() == before


@EACH
def test_a_new_user_and_further_items_are_drawn_too(fitted, name):
    model = clone(fitted[name]).fit(X, Y).new_user({0: 5.0})
    model.partial_fit(pd.DataFrame({"user": range(30), "item": 50}), np.full(30, 5.0))
    assert "50" in texts(model.plot_items(3))


def test_one_item_is_no_picture():
    model = clone(MODELS["bayes"]).fit(X[X["item"] == 0], Y[X["item"] == 0])
    with pytest.raises(ValueError, match="at least two items"):
        model.plot_items()


@pytest.mark.parametrize("n", [0, -1, 2.5, "3"])
def test_a_number_of_items_that_is_none_is_refused(fitted, n):
    with pytest.raises(ValueError, match=rf"The 'n' parameter .* must be an int in the range \[1, inf\). Got {n!r}"):
        fitted["bayes"].plot_items(n)


def test_components_are_those_of_a_singular_value_decomposition():
    points = np.random.default_rng(0).normal(size=(40, 5)) * [5, 1, 3, 0.1, 0.5]
    components = principal_components(points)
    centred = points - points.mean(axis=0)
    values = np.linalg.svd(centred, compute_uv=False)[:2]
    np.testing.assert_allclose(np.linalg.norm(components, axis=0), values)
    np.testing.assert_allclose(components[:, 0] @ components[:, 1], 0, atol=1e-9)
    for column in components.T:
        assert column[np.abs(column).argmax()] > 0


def test_of_one_dimension_the_second_component_is_0():
    components = principal_components(np.array([[1.0], [2.0], [6.0]]))
    np.testing.assert_allclose(components, [[-2, 0], [-1, 0], [3, 0]], atol=1e-12)


def test_similarities_to_items_of_few_ratings_are_damped():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"user": rng.integers(40, size=400), "item": np.minimum(rng.geometric(0.2, 400), 20)})
    model = BayesianFactorization(n_factors=2, n_sweeps=6, n_burn_in=2, random_state=0).fit(X, rng.random(400))
    vectors, counts = model.item_vectors_, model.item_counts_
    units = vectors.div(np.linalg.norm(vectors, axis=1), axis=0)
    expected = (units @ units.loc[1] * counts / (counts + 5)).drop(1).sort_values(ascending=False)
    similar = model.similar_items(1, 100)
    assert similar["similar"].tolist() == expected.index.tolist()
    np.testing.assert_allclose(similar["similarity"], expected, rtol=1e-6)
