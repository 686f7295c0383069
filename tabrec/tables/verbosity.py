"""`VERBOSE`: the constraint of the parameter `verbose`."""

from __future__ import annotations

from sklearn.utils._param_validation import StrOptions

# Not in `progress`, which the command line imports early: importing scikit-learn is slow.
VERBOSE = ["verbose", StrOptions({"auto"})]
