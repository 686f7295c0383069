"""Names of columns in messages."""

import pytest

from tabrec.tables.names import check_named, names_of


def test_a_message_names_the_nearest_spellings_first_and_counts_the_rest():
    names = ["SalesID", "SalePrice", *(f"c{i}" for i in range(30))]
    assert names_of(names, "saleprice").startswith("the nearest to 'saleprice' is 'SalePrice'")
    assert names_of(names, "zzz").startswith("it has ['SalesID', 'SalePrice', 'c0'")
    assert names_of(names, "zzz").endswith("'c17'] and 12 more")


def test_an_unknown_column_of_a_parameter_is_an_error_with_the_nearest_one():
    with pytest.raises(ValueError, match="drop names .'Price'., but .*; the nearest to 'Price' is 'price'; it has"):
        check_named("drop", ["Price"], ["id", "price"])
