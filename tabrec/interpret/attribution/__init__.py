"""Contributions of columns to predictions: path contributions, occlusion, SHAP values and waterfall plots."""
