"""Maps of learned vectors: labels, coordinates, shares of variance, and errors."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from tabrec import (
    BayesianFactorization,
    DotProductBias,
    EmbeddingEncoder,
    EmbeddingNN,
    ForestRegressor,
    TabularClassifier,
    TabularRegressor,
)
from tabrec.interpret import embedding_map

SIZES = {"embedding_sizes": {"kind": 4, "place": 3}}
UGLY = [
    "<b>x</b>",
    "cost $5 and $6",
    "two\nlines",
    "🎬 film",
    "",
    r"$\frac{1}{2}",
    "a label that is far too long, of 1994",
]
RECOMMENDERS = {
    "dot": DotProductBias(n_factors=3, epochs=1, random_state=0),
    "nn": EmbeddingNN(layers=(8,), embedding_size=4, epochs=1, random_state=0),
    "bayes": BayesianFactorization(n_factors=2, n_sweeps=6, n_burn_in=2, random_state=0),
}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "kind": rng.choice(UGLY, 300),
            "place": [f"place {n}" for n in rng.integers(0, 60, 300)],
            "size": rng.normal(size=300),
        }
    )
    return X, rng.normal(size=300)


@pytest.fixture(scope="module")
def net(table):
    return TabularRegressor(epochs=1, random_state=0, **SIZES).fit(*table)


def texts(ax):
    return sorted(text.get_text() for text in ax.texts)


def test_the_table_holds_the_principal_components_of_all_labels(net):
    vectors = net.embeddings_["kind"]
    found = embedding_map(net, "kind")
    assert found.column == "kind"
    assert found.table.columns.tolist() == ["label", "first", "second"]
    assert set(found.table["label"]) == set(vectors.index) == {"#na#", *UGLY}
    texts = {text.get_text() for text in found.plot().texts}
    assert "missing" in texts
    assert "#na#" not in texts
    centred = vectors.to_numpy(float) - vectors.to_numpy(float).mean(axis=0)
    variances = np.linalg.eigvalsh(centred.T @ centred)[::-1]
    np.testing.assert_allclose(found.shares, variances[:2] / variances.sum(), rtol=1e-6)
    points = found.table.set_index("label")[["first", "second"]].loc[vectors.index].to_numpy()
    np.testing.assert_allclose(np.square(points).sum(axis=0), variances[:2], rtol=1e-6)
    furthest = np.hypot(found.table["first"], found.table["second"])
    assert furthest.is_monotonic_decreasing


def test_the_plot_writes_n_labels_and_the_shares(net):
    ax = embedding_map(net, "place", n=12).plot()
    assert len(texts(ax)) == 12
    assert ax.get_title() == "place: the 12 labels furthest from the centre, of 61"
    shares = embedding_map(net, "place").shares
    assert ax.get_xlabel() == f"first principal component ({shares[0]:.0%} of variance)"
    assert ax.get_ylabel() == f"second principal component ({shares[1]:.0%} of variance)"
    assert sum(len(points.get_offsets()) for points in ax.collections) == 61
    ax.figure.canvas.draw()


def test_labels_of_any_kind_are_drawn_on_the_callers_axes(net):
    axes = Figure(layout="constrained").subplots()
    assert embedding_map(net, "kind").plot(axes) is axes
    axes.figure.canvas.draw()
    assert {r"cost \$5 and \$6", "two lines"} <= set(texts(axes))
    assert axes.get_title() == "kind: vectors of 8 labels"


def test_classifiers_encoders_and_pipelines_have_maps_too(table, net):
    X, y = table
    labels = set(net.embeddings_["kind"].index)
    classifier = TabularClassifier(epochs=1, random_state=0, **SIZES).fit(X, y > 0)
    small = TabularRegressor(epochs=1, random_state=0, **SIZES)
    encoder = EmbeddingEncoder(small, cv=2).fit(X, y)
    piped = make_pipeline(EmbeddingEncoder(small, cv=2), ForestRegressor(2, random_state=0)).fit(X, y)
    for model in (classifier, encoder, piped):
        assert set(embedding_map(model, "kind").table["label"]) == labels


@pytest.mark.parametrize("name", RECOMMENDERS)
def test_users_and_items_of_recommenders_come_with_their_counts(name):
    user, item = (codes.ravel() for codes in np.mgrid[:20, :8])
    rated = user >= item
    X = pd.DataFrame({"reader": user[rated], "book": item[rated]})
    model = RECOMMENDERS[name].fit(X, np.random.default_rng(0).integers(1, 6, len(X)).astype(float))
    books = embedding_map(model, "book", n=3)
    assert books.table["label"].tolist() == list(range(8))
    assert books.table["count"].tolist() == list(range(20, 12, -1))
    pd.testing.assert_frame_equal(books.table, embedding_map(model, "item").table)
    assert len(embedding_map(model, "user").table) == len(embedding_map(model, "reader").table) == 20
    assert texts(books.plot()) == ["0", "1", "2"]
    assert books.plot().get_title() == "book: the 3 labels with most ratings, of 8"
    with pytest.raises(ValueError, match="'reader', 'book', 'user', 'item'"):
        embedding_map(model, "film")


def test_vectors_of_one_number_lie_on_a_line(table):
    X, y = table
    model = TabularRegressor(epochs=1, embedding_sizes={"kind": 1, "place": 1}, random_state=0).fit(X, y)
    found = embedding_map(model, "kind")
    assert found.shares == pytest.approx((1.0, 0.0))
    assert (found.table["second"] == 0).all()
    found.plot().figure.canvas.draw()


def test_invalid_arguments_raise(table, net):
    X, y = table
    with pytest.raises(ValueError, match="column='size' has no vectors.*'kind', 'place'"):
        embedding_map(net, "size")
    for n in (0, -1, 2.5):
        with pytest.raises(ValueError, match="'n' parameter of embedding_map must be an int in the range .1, inf"):
            embedding_map(net, "kind", n=n)
    for model in (TabularRegressor(), DotProductBias(), EmbeddingEncoder()):
        with pytest.raises(NotFittedError):
            embedding_map(model, "kind")
    with pytest.raises(
        TypeError, match="not ForestRegressor. For the effect of labels .* partial_dependence.*draw_tree"
    ):
        embedding_map(ForestRegressor(2, random_state=0).fit(X, y), "kind")
    with pytest.raises(TypeError, match="not LinearRegression"):
        embedding_map(LinearRegression(), "kind")
    numbers = TabularRegressor(epochs=1, random_state=0).fit(X[["size"]], y)
    with pytest.raises(ValueError, match="no column"):
        embedding_map(numbers, "size")
