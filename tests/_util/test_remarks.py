"""A remark is kept and told once, whoever adds it."""

import warnings

from friedel._util.remarks import Remarks
from friedel.errors import FriedelWarning


def test_a_remark_of_two_stages_is_told_once():
    remarks = Remarks()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for text in (
            "A second band was filtered out.",
            "No ring is seen.",
            "A second band was filtered out.",
        ):
            remarks.add(text)
    assert [str(one.message) for one in told] == list(remarks) == remarks[:2]
    assert all(one.category is FriedelWarning for one in told)
