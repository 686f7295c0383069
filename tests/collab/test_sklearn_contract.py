"""Every recommender passes the estimator checks of scikit-learn without expected failures."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from tabrec import BayesianFactorization, DotProductBias, EmbeddingNN


@parametrize_with_checks(
    [
        BayesianFactorization(n_sweeps=10),
        BayesianFactorization(n_sweeps=5, likelihood="ordinal"),
        DotProductBias(epochs=2),
        EmbeddingNN(epochs=2),
    ]
)
def test_sklearn_contract(estimator, check):
    check(estimator)
