"""How good a classifier or regressor is: curves, calibration, and the rows on which it is worst."""
