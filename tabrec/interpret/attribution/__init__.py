"""Contributions of columns to a prediction: by path, by occlusion, SHAP values, the waterfall."""
