"""Reasons: what a model relies on, how, how sure it is, and whether the world it learned still stands."""

from importlib import import_module
from typing import Any

# Modules are not named like the functions in them, which they would hide once imported.
_HOME = {
    "path_contributions": ["Contributions", "RowContributions", "contributions"],
    "shapley": ["shap_values"],
    "waterfall_chart": ["waterfall"],
    "importance": ["FeatureImportance", "feature_importance"],
    "selection": ["DropUnimportant", "TryDropping", "drop_unimportant", "try_dropping"],
    "redundant_columns": ["Redundancy", "cluster_columns", "redundancy"],
    "dependence": ["PartialDependence", "partial_dependence"],
    "accumulated_effects": ["AccumulatedEffects", "ale"],
    "intervals": ["Confidence", "confidence"],
    "out_of_bag": ["OobReport", "oob_report"],
    "shift": ["DomainShift", "domain_shift"],
    "time_checks": ["DropAndCompare", "RecentOnly", "drop_and_compare", "recent_only"],
    "extrapolation": ["ExtrapolationCheck", "extrapolation_check"],
    "leakage": ["LeakageCheck", "leakage_check"],
    "tree_drawing": ["draw_tree", "view_tree"],
    "rules": ["tree_rules"],
    "embedding_maps": ["EmbeddingMap", "embedding_map"],
    "report_page": ["Report", "report"],
    "_result": ["Finding"],
}
_HOME_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(import_module(f"tabrec.interpret.{_HOME_OF[name]}"), name)
    raise AttributeError(f"module 'tabrec.interpret' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
