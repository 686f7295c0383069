"""Every recommender passes the estimator checks of scikit-learn without expected failures."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from tabrec import (
    BPR,
    EASE,
    BayesianFactorization,
    BlendedRecommender,
    DotProductBias,
    EmbeddingNN,
    ImplicitALS,
    ItemKNN,
    Popular,
)


@parametrize_with_checks(
    [
        BayesianFactorization(n_sweeps=10),
        BayesianFactorization(n_sweeps=5, likelihood="ordinal"),
        DotProductBias(epochs=2),
        EmbeddingNN(epochs=2),
        EASE(),
        ItemKNN(),
        Popular(),
        ImplicitALS(4, n_iterations=2),
        BPR(4, epochs=1),
        BlendedRecommender([EASE(), ItemKNN()]),
    ]
)
def test_sklearn_contract(estimator, check):
    check(estimator)
