"""Forms of dates that cells have: every one that fits, so that two are never taken for one."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_cli.data.files.marks import DATES, possible_dates


@pytest.mark.parametrize(
    ("cells", "forms"),
    [
        (["1. Jan 2023", "12. May 2023"], ["%d. %b %Y"]),
        (["01-JAN-2024", "12-dec-2024"], ["%d-%b-%Y"]),
        (["01-Jan-23"], ["%d-%b-%y"]),
        (["January 2023", "May 2023"], ["%B %Y"]),
        (["May 2023"], ["%b %Y"]),  # is both, and the same day
        (["2024-01", "2024-12"], ["%Y-%m"]),
        (["01/2024"], ["%m/%Y"]),
        (["2019-20"], []),
        (["2024.01"], []),
        (["03/04/2024"], ["%d/%m/%Y", "%m/%d/%Y"]),
    ],
)
def test_forms_of_dates(cells: list[str], forms: list[str]) -> None:
    assert possible_dates(cells) == forms


@given(
    days=st.lists(st.dates(datetime.date(1970, 1, 1), datetime.date(2068, 12, 31)), min_size=1, max_size=5),
    form=st.sampled_from([form for form in DATES if form != "%Y%m%d"]),
)
def test_a_form_that_dates_are_written_in_is_among_those_that_fit(days: list[datetime.date], form: str) -> None:
    fitting = possible_dates([day.strftime(form) for day in days])
    assert form in fitting or form.replace("%B", "%b") in fitting
