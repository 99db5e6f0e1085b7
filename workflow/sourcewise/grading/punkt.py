"""NLTK's model of English sentences, found on this machine: no checker may wait for a download."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from pathlib import Path

FILES = ("abbrev_types.txt", "collocations.tab", "ortho_context.tab", "sent_starters.txt")
REMEDY = (
    "NLTK's English punkt_tab is not on this machine: set SOURCEWISE_PUNKT to a directory that holds "
    f"{', '.join(FILES)}, or run `python -m nltk.downloader punkt_tab` where there is a network"
)


class PunktMissingError(RuntimeError):
    """A checker needs NLTK data that is not there; the message names the remedy."""


@functools.cache
def available() -> bool:
    """Whether NLTK finds punkt_tab: in $SOURCEWISE_PUNKT, beside the repository or where it looks itself."""
    import nltk

    given = os.environ.get("SOURCEWISE_PUNKT")
    for source in [Path(given)] if given else [Path("../shared/data/nltk_punkt_tab")]:
        if all((source / name).is_file() for name in FILES):
            nltk.data.path.insert(0, _as_nltk_data(source))
    try:
        nltk.data.find("tokenizers/punkt_tab/english/")
    except LookupError:
        return False
    return True


def _as_nltk_data(source: Path) -> str:
    """A directory laid out as NLTK wants it, for as long as this process lives."""
    import atexit

    root = tempfile.mkdtemp(prefix="sourcewise-nltk-")
    english = Path(root) / "tokenizers" / "punkt_tab" / "english"
    english.mkdir(parents=True)
    for name in FILES:
        shutil.copyfile(source / name, english / name)
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    return root
