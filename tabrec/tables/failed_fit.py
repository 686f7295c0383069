"""`restores_on_failure`: a fit that fails leaves the estimator as it was."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

_Method = TypeVar("_Method", bound=Callable)


def restores_on_failure(fit: _Method) -> _Method:
    """Decorate a method that learns: when it raises, the attributes of the estimator are put back.

    A fit that is refused, fails or is interrupted halfway leaves no mix of old and new attributes. The copy of the
    attributes is shallow: a method may replace the value of an attribute, but must not write into it.
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
