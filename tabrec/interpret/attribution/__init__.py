"""What each column adds to a prediction: contributions, SHAP values, the waterfall."""
