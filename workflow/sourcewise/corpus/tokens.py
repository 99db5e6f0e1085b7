"""Words and numbers of many texts at once, as 64-bit hashes in numpy arrays.

Only what survives another spelling counts: case, white space, signs, commands of LaTeX and the commas in
1,000 are no part of a token, and a character of a script without blanks is one. A hash depends on
nothing but its token. Two tokens share one with a chance of 2^-64 a pair: what is found by hashes needs
no second look.
"""

from __future__ import annotations

import codecs
import functools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sourcewise.text import UNSPACED

Hashes = npt.NDArray[np.uint64]
Indices = npt.NDArray[np.int64]

# Characters that are hashed together: the arrays of a part stay in the processor's caches.
PART = 1 << 19

_COMMAND = re.compile(r"\\(?:[a-z]+|.)", re.DOTALL)
_TYPESET_COMMA = re.compile(r"\{,\}|\\,(?=\d)")
# Characters that are words of their own, and signs, which are none; those of ASCII are seen to later.
_APART = re.compile(rf"((?=\w)[{UNSPACED}])|[^\x00-\x7f\w]+")
# Numbers in words change as easily as those in digits.
_WORDS_OF_NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million"
)

# What `_hashed` takes for a token, in a text as `_plain` leaves it.
_COMMA_OF_THOUSANDS = re.compile("(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_TOKEN = re.compile(r"[0-9]+(?:\.[0-9]+)*|[a-z\x80-\ud7ff\ue000-\U0010ffff]+")

_BASE = np.uint64(0x9E3779B97F4A7C15)
_INVERSE = np.uint64(pow(int(_BASE), -1, 1 << 64))
_NUMBER = np.uint64(0x2545F4914F6CDD1D)
_OTHER, _DIGIT, _LETTER = 0, 1, 2
_KINDS = np.zeros(256, dtype=np.uint8)
_KINDS[[*range(ord("a"), ord("z") + 1), *range(0x80, 0x100)]] = _LETTER
_KINDS[[*range(ord("0"), ord("9") + 1)]] = _DIGIT
_END = b"\0"


class Tokens(NamedTuple):
    """The tokens of texts, one entry each, in order; those of text i lie from `ends[i]` to `ends[i + 1]`.

    In `masked` all numbers are alike; `texts` has the text of each token.
    """

    hashes: Hashes
    masked: Hashes
    texts: Indices
    ends: Indices

    def of(self, text: int, *, masked: bool = False) -> Hashes:
        """The tokens of one text."""
        return (self.masked if masked else self.hashes)[self.ends[text] : self.ends[text + 1]]


class _Part(NamedTuple):
    """The tokens of some texts, the kind of each, and how many each text has."""

    hashes: Hashes
    kinds: npt.NDArray[np.uint8]
    counts: Indices


def tokens(texts: Sequence[str]) -> Tokens:
    """The tokens of each text."""
    parts = [_hashed(part) for part in _parts(map(_plain, texts))]
    masked = [np.where(_are_numbers(*part[:2]), _NUMBER, part.hashes) for part in parts]
    hashes, counts = _joined(parts)
    return Tokens(
        hashes,
        np.concatenate([np.empty(0, np.uint64), *masked]),
        np.repeat(np.arange(len(texts)), counts),
        np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]),
    )


def hashed(texts: Sequence[str]) -> tuple[Hashes, Indices]:
    """The hashes of `tokens` and the text of each, for those who need no more."""
    hashes, counts = _joined([_hashed(part) for part in _parts(map(_plain, texts))])
    return hashes, np.repeat(np.arange(len(texts)), counts)


def words(text: str) -> list[str]:
    """The same tokens of one text, to be read."""
    return _TOKEN.findall(_COMMA_OF_THOUSANDS.sub("", _plain(text).decode()))


def numbers(masked: Hashes) -> npt.NDArray[np.bool_]:
    """Which of masked tokens are numbers, in digits or in words."""
    return np.asarray(masked == _NUMBER)


def _plain(text: str) -> bytes:
    """The text in the spelling that is compared, in UTF-8."""
    plain = text.isascii()
    # Of ASCII both make the same, and `lower` ten times as fast.
    text = text.lower() if plain else unicodedata.normalize("NFKC", text).casefold()
    if "{,}" in text or "\\," in text:
        text = _TYPESET_COMMA.sub(",", text)
    if "\\" in text:
        text = _COMMAND.sub(" ", text)
    text = text.replace("\0", " ")
    return text.encode() if plain else text.encode("ascii", _others())


@functools.cache
def _others() -> str:
    """How what is not ASCII is encoded; a codec finds it ten times as fast as a regular expression."""
    codecs.register_error("sourcewise.apart", _apart)
    return "sourcewise.apart"


def _apart(error: UnicodeError) -> tuple[bytes, int]:
    """The run of characters that is not ASCII, and where it ends."""
    assert isinstance(error, UnicodeEncodeError)
    run = error.object[error.start : error.end]
    return _APART.sub(r" \1 ", run).encode("utf-8", "replace"), error.end


def _parts(texts: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The texts in lists of about `PART` bytes."""
    part: list[bytes] = []
    size = 0
    for text in texts:
        part.append(text)
        size += len(text)
        if size >= PART:
            yield part
            part, size = [], 0
    if part:
        yield part


def _joined(parts: Sequence[_Part]) -> tuple[Hashes, Indices]:
    """The hashes of all parts, and how many each text has."""
    hashes = np.concatenate([np.empty(0, np.uint64), *(part.hashes for part in parts)])
    return hashes, np.concatenate([np.empty(0, np.int64), *(part.counts for part in parts)])


def _hashed(texts: list[bytes]) -> _Part:
    """The tokens of one part.

    A token is hashed as a polynomial over its bytes. Sums from the start of the part give all of them:
    the difference of two, brought to the token's own origin by the inverse of the base.
    """
    joined = b"".join([_END, *(text + _END for text in texts), _END * 3])
    raw = _without_thousands(np.frombuffer(joined, dtype=np.uint8))
    kinds = _KINDS.take(raw)
    # The point of 3.5 belongs to its number.
    points = np.flatnonzero(raw == ord("."))
    kinds[points[(kinds[points - 1] == _DIGIT) & (kinds[points + 1] == _DIGIT)]] = _DIGIT
    changes = kinds[1:] != kinds[:-1]
    starts = np.flatnonzero(changes & (kinds[1:] != _OTHER)) + 1
    stops = np.flatnonzero(changes & (kinds[:-1] != _OTHER)) + 1
    powers, inverses = _powers(len(raw))
    sums = np.zeros(len(raw) + 1, dtype=np.uint64)
    np.cumsum(raw * powers, out=sums[1:])
    hashes = mixed((sums[stops] - sums[starts]) * inverses[starts])
    ends = np.flatnonzero(raw == 0)[1 : len(texts) + 1]
    counts = np.diff(np.searchsorted(starts, ends), prepend=0)
    return _Part(hashes, kinds[starts], counts)


def _without_thousands(raw: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The bytes without commas between a digit and exactly three more."""
    commas = np.flatnonzero(raw == ord(","))
    for place, wanted in ((-1, True), (1, True), (2, True), (3, True), (4, False)):
        commas = commas[(_KINDS[raw[commas + place]] == _DIGIT) == wanted]
    return np.delete(raw, commas) if len(commas) else raw


def _are_numbers(hashes: Hashes, kinds: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    words, table = _number_words()
    found: npt.NDArray[np.bool_] = kinds == _DIGIT
    likely = np.flatnonzero(table.take((hashes >> np.uint64(48)).astype(np.int64)))
    found[likely] |= np.isin(hashes[likely], words)
    return found


def _powers(n: int) -> tuple[Hashes, Hashes]:
    if n > 2 * PART:
        return _series(_BASE, n), _series(_INVERSE, n)
    powers, inverses = _usual_powers()
    return powers[:n], inverses[:n]


@functools.cache
def _usual_powers() -> tuple[Hashes, Hashes]:
    return _series(_BASE, 2 * PART), _series(_INVERSE, 2 * PART)


def _series(base: np.uint64, n: int) -> Hashes:
    return np.cumprod(
        np.concatenate([np.ones(1, np.uint64), np.full(n - 1, base)]), dtype=np.uint64
    )


def mixed(hashes: Hashes) -> Hashes:
    """Spreads what differs in few bits over all of them (the last steps of splitmix64)."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))


@functools.cache
def _number_words() -> tuple[Hashes, npt.NDArray[np.bool_]]:
    """The tokens of numbers in words, and which first 16 bits a token must have to be one."""
    raw = [np.frombuffer(word.encode(), dtype=np.uint8) for word in _WORDS_OF_NUMBERS.split()]
    values = [(word * _series(_BASE, len(word))).sum(dtype=np.uint64) for word in raw]
    hashes = mixed(np.array(values, dtype=np.uint64))
    table = np.zeros(1 << 16, dtype=np.bool_)
    table[(hashes >> np.uint64(48)).astype(np.int64)] = True
    return hashes, table
