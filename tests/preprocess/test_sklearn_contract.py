from sklearn.utils.estimator_checks import parametrize_with_checks

from tabrec.preprocess import *


@parametrize_with_checks(
    [
        DateParts(),
        Categorify(),
        FillMissing(),
        Normalize(),
        Normalize("quantile"),
        TabularPreprocessor(),
        TabularPreprocessor("net"),
    ]
)
def test_c(estimator, check):
    check(estimator)
