"""Known spellings that resemble an unknown one."""

from tabrec.tables.spelling import nearest_labels


def test_those_that_hold_the_text_come_before_those_that_look_like_it():
    labels = ["Heat", "Body Heat", "Heath", "Cheap"]
    assert nearest_labels("heat", labels) == ["Heat", "Body Heat", "Heath"]
    assert nearest_labels("xyz", labels) == nearest_labels(7, labels) == []
