"""Every recommender passes the estimator checks of scikit-learn without expected failures."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from tabrec import (
    BPR,
    EASE,
    BayesianFactorization,
    BlendedRecommender,
    BoostingClassifier,
    DotProductBias,
    EmbeddingNN,
    ImplicitALS,
    ItemKNN,
    Popular,
    TwoStageRecommender,
)


@parametrize_with_checks(
    [
        BayesianFactorization(4, n_sweeps=6, n_burn_in=2),
        BayesianFactorization(4, n_sweeps=5, n_burn_in=2, likelihood="ordinal"),
        DotProductBias(epochs=2),
        EmbeddingNN(epochs=2),
        DotProductBias(4, epochs=1, objective="ranking"),
        EmbeddingNN((8,), epochs=1, objective="ranking"),
        EASE(),
        ItemKNN(),
        Popular(),
        ImplicitALS(4, n_iterations=2),
        BPR(4, epochs=1),
        BlendedRecommender([EASE(), ItemKNN()]),
        TwoStageRecommender([EASE(), ItemKNN()], BoostingClassifier(max_iter=3), n_candidates=10, n_draws=1),
    ]
)
def test_sklearn_contract(estimator, check):
    check(estimator)
