import numpy as np
import pytest

from tabrec.interpret._numbers import show_number


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (25798.4, 4, "25,798"),
        (4600.0, 2, "4,600"),
        (0.123456, 4, "0.1235"),
        (-0.00412, 2, "-0.0041"),
        (1.50000001, 4, "1.5"),
        (0, 4, "0"),
        (120, 4, "120"),
        (71621.25, 6, "71,621.2"),
        (9.99999, 3, "10"),
        (3.2e-9, 2, "3.2e-09"),
        (np.inf, 4, "inf"),
    ],
)
def test_numbers_are_written_out(value, digits, text):
    assert show_number(value, digits) == text
