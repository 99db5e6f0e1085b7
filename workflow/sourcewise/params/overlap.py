"""How many words two texts must share for one to count as a copy: of decontamination, and of the filter."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sourcewise.params.base import Section

# In runs of fewer words everybody's phrases meet.
MIN_RUN = 8


class Overlap(Section):
    """A text is a copy where `share` of its words or of the item's lie in runs of `n` words that both have.

    One shared run of 13 words (the usual rule) also finds the phrases that competitions repeat: Qwen2.5's
    report (arXiv 2412.15115) asks for 60 % of the shorter text as well.
    """

    n: Annotated[int, Field(ge=MIN_RUN)]
    share: Annotated[float, Field(gt=0, le=1)]
