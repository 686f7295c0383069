"""Quality of classifiers and regressors: curves, calibration, and segments with large errors."""
