"""`VERBOSE`: the constraint of the parameter `verbose`."""

from __future__ import annotations

from sklearn.utils._param_validation import StrOptions

# Apart from `progress`, which the command line imports before anything slow.
VERBOSE = ["verbose", StrOptions({"auto"})]
