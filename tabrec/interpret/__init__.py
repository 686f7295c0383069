"""Explain fitted models: importance, effects, contributions, uncertainty, shift and leakage, and a report of all."""

from importlib import import_module
from typing import Any

# Importing a submodule with the name of a function would hide the function.
_MODULES = {
    "attribution.path_contributions": ["Contributions", "RowContributions", "contributions"],
    "attribution.cohorts": ["Cohorts"],
    "attribution.counterfactuals": ["Counterfactuals", "counterfactuals"],
    "attribution.interactions": ["ShapInteractions", "shap_interactions"],
    "attribution.shapley": ["shap_values"],
    "attribution.waterfall_chart": ["waterfall"],
    "reliance.importance": ["FeatureImportance", "feature_importance"],
    "reliance.selection": ["DropUnimportant", "TryDropping", "drop_unimportant", "try_dropping"],
    "reliance.redundant_columns": ["Redundancy", "cluster_columns", "redundancy"],
    "effects.dependence": ["PartialDependence", "partial_dependence"],
    "effects.pair_strengths": ["InteractionStrength", "interaction_strength"],
    "effects.accumulated_effects": ["AccumulatedEffects", "ale"],
    "certainty.intervals": ["Confidence", "confidence"],
    "certainty.out_of_bag": ["OobReport", "oob_report"],
    "certainty.oob_curves": ["OobCurve", "oob_curve"],
    "change.shift": ["DomainShift", "domain_shift"],
    "change.time_checks": ["DropAndCompare", "RecentOnly", "drop_and_compare", "recent_only"],
    "change.drift": ["DriftOverTime", "drift_over_time"],
    "change.extrapolation": ["ExtrapolationCheck", "extrapolation_check"],
    "audit.leakage": ["LeakageCheck", "leakage_check"],
    "quality.classification": ["ClassificationCurves", "classification_curves"],
    "quality.segments": ["ErrorSegments", "error_segments"],
    "drawings.tree_drawing": ["draw_tree", "view_tree"],
    "drawings.rules": ["tree_rules"],
    "drawings.embedding_maps": ["EmbeddingMap", "embedding_map"],
    "page.report_page": ["Report", "report"],
    "_result": ["Finding"],
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(f"tabrec.interpret.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module 'tabrec.interpret' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
