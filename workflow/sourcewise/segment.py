"""One segment of a ledger: blocks of records, only ever appended.

A block is, numbers little-endian and of four bytes:

    magic · n · bytes of the body · bytes before compression · CRC-32 of the body
    n keys of 16 bytes · CRC-32 of all before it
    body: the contents of n records, compressed with zstd

So an index reads a hundredth of the file and nothing is decompressed for it, and records that were appended
together compress together. Damage costs the block it hits; reading goes on at the next magic.
"""

from __future__ import annotations

import functools
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa

MAGIC = b"\xabSW1"
KEY_BYTES = 16
_HEAD = struct.Struct("<4s4I")
_SEAL = struct.Struct("<I")
_LEVEL = 1
_FIRST_LOOK = 4096
_SEARCHED = 1 << 20


class Block(NamedTuple):
    """The keys of a block in order, and where its body lies."""

    keys: tuple[bytes, ...]
    offset: int
    length: int
    raw: int
    crc: int


class Gap(NamedTuple):
    """Bytes that are no block: damage, or (`torn`) the beginning of one at the end of the segment."""

    offset: int
    length: int
    torn: bool


def block(keys: Sequence[bytes], content: bytes) -> bytes:
    """The bytes of a block; most of the work, the compression, leaves the interpreter to other threads."""
    body = _codec().compress(content, asbytes=True)
    head = _HEAD.pack(MAGIC, len(keys), len(body), len(content), zlib.crc32(body))
    directory = b"".join([head, *keys])
    return b"".join([directory, _SEAL.pack(zlib.crc32(directory)), body])


@functools.cache
def _codec() -> pa.Codec:
    return pa.Codec("zstd", compression_level=_LEVEL)


def scan(file: int) -> Iterator[Block | Gap]:
    """What a segment holds, in order; of a block that another process is writing nothing is said yet.

    Bodies are not read: `content` finds damage in them.
    """
    size, offset = os.fstat(file).st_size, 0
    while offset < size:
        block = _block_at(file, offset, size)
        if block is not None:
            yield block
            offset = block.offset + block.length
            continue
        following = _next_block(file, offset + 1, size)
        torn = following == size and _is_torn(file, offset, size)
        yield Gap(offset, following - offset, torn)
        offset = following


def _block_at(file: int, offset: int, size: int) -> Block | None:
    """The block at an offset; None where there is no whole one."""
    start = os.pread(file, _FIRST_LOOK, offset)
    if len(start) < _HEAD.size or not start.startswith(MAGIC):
        return None
    _, n, length, raw, crc = _HEAD.unpack_from(start)
    sealed = _HEAD.size + KEY_BYTES * n
    body = offset + sealed + _SEAL.size
    if body + length > size:
        return None
    if len(start) < sealed + _SEAL.size:
        start = os.pread(file, sealed + _SEAL.size, offset)
    if _SEAL.unpack_from(start, sealed)[0] != zlib.crc32(memoryview(start)[:sealed]):
        return None
    return Block(_keys(n).unpack_from(start, _HEAD.size), body, length, raw, crc)


@functools.cache
def _keys(n: int) -> struct.Struct:
    return struct.Struct(f"{KEY_BYTES}s" * n)


def _next_block(file: int, offset: int, size: int) -> int:
    """Where the next whole block begins; `size` where there is none."""
    while offset < size:
        window = os.pread(file, _SEARCHED, offset)
        place = window.find(MAGIC)
        while place >= 0:
            if _block_at(file, offset + place, size) is not None:
                return offset + place
            place = window.find(MAGIC, place + 1)
        # A magic may lie across two windows.
        offset += max(1, len(window) - len(MAGIC) + 1)
    return size


def _is_torn(file: int, offset: int, size: int) -> bool:
    """Whether what begins here is a block that a crash cut short, and not a damaged one."""
    start = os.pread(file, _HEAD.size, offset)
    if len(start) < _HEAD.size:
        return MAGIC.startswith(start[: len(MAGIC)])
    magic, n, length, *_ = _HEAD.unpack(start)
    return magic == MAGIC and offset + _HEAD.size + KEY_BYTES * n + _SEAL.size + length > size


def content(file: int, block: Block) -> bytes | None:
    """The contents of a block's records; None where it is damaged."""
    body = os.pread(file, block.length, block.offset)
    if len(body) < block.length or zlib.crc32(body) != block.crc:
        return None
    found: bytes = _codec().decompress(body, decompressed_size=block.raw, asbytes=True)
    return found


def is_whole(file: int, block: Block) -> bool:
    """Whether a body is as it was written; it is not decompressed."""
    body = os.pread(file, block.length, block.offset)
    return len(body) == block.length and zlib.crc32(body) == block.crc
