"""What the licences of a dataset's sources ask for together; the names are SPDX identifiers or free text."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from typing import NamedTuple

_FREE = ("MIT", "APACHE-", "BSD-", "ISC", "CC0-", "CC-BY-", "ODC-BY", "CDLA-PERMISSIVE", "PDDL")
_SHARE_ALIKE = ("GPL-", "AGPL-", "LGPL-", "ODBL-", "CDLA-SHARING")


class Terms(NamedTuple):
    """What a licence asks of who passes adapted text on."""

    known: bool
    share_alike: bool
    noncommercial: bool
    no_derivatives: bool


def terms(licence: str) -> Terms:
    """The terms, as far as the name tells them."""
    name = licence.upper()
    share_alike = name.startswith(_SHARE_ALIKE) or "-SA-" in f"{name}-"
    noncommercial = "-NC-" in f"{name}-" or "RESEARCH" in name or "NON-COMMERCIAL" in name
    known = share_alike or noncommercial or name.startswith(_FREE)
    return Terms(known, share_alike, noncommercial, "-ND-" in f"{name}-")


def conflicts(licences: Collection[str]) -> list[str]:
    """Sentences on what stands in the way of passing on a dataset under these licences together."""
    found = []
    of = {licence: terms(licence) for licence in sorted(licences)}
    for licence, asked in of.items():
        if not asked.known:
            found.append(
                f"{licence}: the name does not say what is allowed; ask who made the source"
            )
        if asked.no_derivatives:
            found.append(f"{licence} does not allow to pass on what was made from the source")
    for one, other in itertools.combinations(of, 2):
        if of[one].share_alike and of[other].share_alike:
            found.append(f"{one} and {other} each ask that the whole be passed on under themselves")
        for sharing, limited in ((one, other), (other, one)):
            both = of[sharing].noncommercial and of[limited].noncommercial
            if of[sharing].share_alike and of[limited].noncommercial and not both:
                found.append(
                    f"{sharing} asks that the whole be passed on under itself, and {limited} does "
                    "not allow all that it allows"
                )
    limits = [licence for licence, asked in of.items() if asked.noncommercial]
    if limits and len(limits) < len(of):
        found.append(f"{', '.join(limits)} allows no commercial use, so the whole allows none")
    return found


def hub_licence(licences: Collection[str]) -> str:
    """The hub's name of a licence that all sources share; `other` where they differ or it is not known."""
    [licence, *others] = sorted(licences)
    if others or not terms(licence).known or " " in licence:
        return "other"
    return licence.lower()
