"""`restores_on_failure`: a fit that fails leaves the estimator as it was."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

_Method = TypeVar("_Method", bound=Callable)


def restores_on_failure(fit: _Method) -> _Method:
    """Decorate a method that learns: when it raises, the attributes of the estimator are put back.

    A fit that was refused, failed or was interrupted halfway must not leave a mix of old and new attributes. The copy
    of the attributes is shallow: a method may replace what an attribute holds, but must not write into it.

    Parameters
    ----------
    fit : callable
        A method such as ``fit`` or ``partial_fit``.

    Returns
    -------
    callable
        The method with the same signature.

    Examples
    --------
    >>> class Estimator:
    ...     @restores_on_failure
    ...     def fit(self, X):
    ...         self.n_rows_ = len(X)
    ...         self.mean_ = sum(X) / len(X)
    >>> estimator = Estimator()
    >>> estimator.fit([1, 2, 3])
    >>> try:
    ...     estimator.fit([])
    ... except ZeroDivisionError:
    ...     print(estimator.n_rows_, estimator.mean_)
    3 2.0
    """

    @wraps(fit)
    def restoring(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = dict(vars(self))
        try:
            return fit(self, *args, **kwargs)
        except BaseException:  # an interrupt too must not leave half a model
            vars(self).clear()
            vars(self).update(before)
            raise

    return restoring  # type: ignore[return-value]
