"""One edit reruns one branch: exactly the jobs and stages that docs/staleness.md says, in both tools."""

from __future__ import annotations

import re

import pytest
import yaml
from edits import EDITS, HEAD, Edit, measure, stale

from working_copy import ROOT, Copy

DOCS = ROOT / "docs/staleness.md"


def _rows() -> list[str]:
    text = DOCS.read_text()
    inside = re.search(r"<!-- edits -->\n(.*)<!-- /edits -->", text, re.DOTALL)
    assert inside is not None
    assert inside[1].startswith(HEAD)
    return inside[1].removeprefix(HEAD).splitlines()


def test_the_table_has_a_row_for_every_section_of_the_parameters(made: Copy) -> None:
    sections = set(yaml.safe_load((made.folder / "params.yaml").read_text()))
    assert {edit.key.partition(".")[0] for edit in EDITS} == sections
    assert len(_rows()) == len(EDITS)


@pytest.mark.parametrize(("number", "edit"), list(enumerate(EDITS)), ids=[e.key for e in EDITS])
def test_an_edit_makes_stale_what_the_table_says(made: Copy, number: int, edit: Edit) -> None:
    params = yaml.safe_load((made.folder / "params.yaml").read_text())
    assert measure(made, edit).row(edit.says(params)) == _rows()[number]


def test_edits_that_are_taken_back_make_nothing_stale(made: Copy) -> None:
    # Every test above took its edit back.
    assert stale(made).jobs == {}
    assert stale(made).stages == ()
