"""`sourcewise view [COPY]`: a working copy's traces in a browser: who answered what, and what became of it.

Listens on loopback only and writes nothing. With --export it writes a sample as pages that work from the disk.
"""

from __future__ import annotations

import argparse
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qsl

from sourcewise.view.catalogue import catalogue
from sourcewise.view.exporting import export
from sourcewise.view.serving import Server
from sourcewise.view.site import Site

PORT = 8517


def main(arguments: Sequence[str]) -> int:
    """Serves pages until it is interrupted, or exports a sample; 2 for bad input."""
    command = argparse.ArgumentParser(
        prog="sourcewise view",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("copy", nargs="?", type=Path, default=Path(), help="default: this one")
    command.add_argument("--port", type=int, default=PORT, help=f"default {PORT}; 0: a free one")
    command.add_argument("--open", action="store_true", help="opens the system's browser, too")
    command.add_argument("--export", type=Path, metavar="DIR", help="writes pages instead")
    command.add_argument("--sample", type=_positive, default=100, help="queries to export (100)")
    command.add_argument("--seed", type=int, default=1, help="another seed, another sample")
    command.add_argument(
        "--search",
        type=_conditions,
        default={},
        help="exports of these only, as addresses say it: 'teacher=NAME&status=timeout'",
    )
    given = command.parse_args(arguments)
    try:
        if given.export is not None:
            n = export(
                given.copy,
                given.export,
                sample=given.sample,
                seed=given.seed,
                conditions=given.search,
            )
            print(f"{given.export / 'index.html'}: {n:,} queries")
            return 0
        return _serve(given.copy, given.port, open_browser=given.open)
    except (OSError, ValueError) as error:
        print(f"sourcewise view: {error}", file=sys.stderr)
        return 2


def _serve(copy: Path, port: int, *, open_browser: bool) -> int:
    catalogue(copy)
    try:
        server = Server(Site(copy), port)
    except (OSError, OverflowError) as error:
        raise ValueError(f"port {port}: {error}: choose another by --port") from None
    with server:
        print(f"{server.url} shows {copy.resolve()}; Ctrl-C ends it", flush=True)
        if open_browser:
            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of queries: give one from 1 on")
    return int(text)


def _conditions(text: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(text.lstrip("?"), keep_blank_values=True, strict_parsing=bool(text)))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}: write 'teacher=NAME&status=timeout'") from None
