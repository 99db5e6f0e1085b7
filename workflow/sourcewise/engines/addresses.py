"""Where engine `server` sends a request: to addresses that are listed, or to the replicas of a service."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from sourcewise.engines.contract import EngineError
from sourcewise.services import registry
from sourcewise.services.registry import Fleet, Watch

LISTED = "SOURCEWISE_SERVER_URLS"
LONGEST_REST = 60.0
# Failures in a row after which an address rests.
PATIENCE = 3
# How often a service is looked at, and how often it is told that it is still wanted.
LOOK_SECONDS, WANT_SECONDS = 1.0, 5.0


class Address:
    """A base address (`http://host:8000/v1`) and how it does."""

    def __init__(self, url: str) -> None:
        self.url: SplitResult = urlsplit(url)
        if self.url.scheme not in ("http", "https") or not self.url.hostname:
            raise EngineError(f"{LISTED}: {url!r} is not an http(s) address")
        self.in_flight = self.failures = 0
        self.rests_until = 0.0

    def __str__(self) -> str:
        return self.url.geturl()

    def failed(self) -> None:
        """Counts a failure; several in a row earn a rest."""
        self.failures += 1
        if self.failures >= PATIENCE:
            rest = min(LONGEST_REST, 2.0 ** (self.failures - PATIENCE))
            self.rests_until = time.monotonic() + rest

    def worked(self) -> None:
        """Forgets failures."""
        self.failures, self.rests_until = 0, 0.0


class Addresses(Protocol):
    """The addresses of a model; `key` is the token that they ask for, `advice` what to do where they do not
    serve it."""

    key: str | None
    advice: str

    async def all(self) -> list[Address]:
        """Those there are; waits for the first one of a service. Raises EngineError where none will be."""

    def gone(self, address: Address) -> bool:
        """Whether an address is no longer one: what failed there says nothing about a request."""

    def keep(self) -> None:
        """To be called while replies are awaited."""


def addresses(model: str, revision: str) -> Addresses:
    """Those that `$SOURCEWISE_SERVER_URLS` lists, else the replicas of this working copy's fleet.

    Raises EngineError where there is neither.
    """
    listed = [url.strip().rstrip("/") for url in os.environ.get(LISTED, "").split(",")]
    if any(listed):
        return _Listed([Address(url) for url in listed if url])
    fleet = Fleet.read()
    teacher = fleet.teacher(model, revision) if fleet is not None else None
    if teacher is None:
        raise EngineError(
            f"no server to ask for {model}: set {LISTED} to one or more base addresses, such as "
            "http://localhost:8000/v1, or name the teacher in a services.yaml and run under `sourcewise serve`"
        )
    return _Served(teacher)


async def least_busy(some: Addresses) -> Address:
    """The address with the least to do of those that do not rest; else the one that wakes first."""
    known = await some.all()
    now = time.monotonic()
    awake = [address for address in known if address.rests_until <= now]
    if not awake:
        return min(known, key=lambda address: address.rests_until)
    return min(awake, key=lambda address: address.in_flight)


class _Listed:
    def __init__(self, known: list[Address]) -> None:
        self._known = known
        self.key = os.environ.get("SOURCEWISE_SERVER_KEY")
        self.advice = f"correct the teacher's model or {LISTED}"

    async def all(self) -> list[Address]:
        return self._known

    def gone(self, address: Address) -> bool:
        return False

    def keep(self) -> None:
        pass


class _Served:
    """The replicas of a teacher, which come and go."""

    def __init__(self, teacher: str) -> None:
        self._teacher = teacher
        self._known: dict[str, Address] = {}
        self._beat = Watch()
        self._looked_at = self._wanted_at = 0.0
        self.key: str | None = None
        self.advice = f"let $MODEL be the name that the command of {teacher} serves"
        self._look()

    async def all(self) -> list[Address]:
        while True:
            self.keep()
            if self._known:
                return list(self._known.values())
            await asyncio.sleep(LOOK_SECONDS / 4)

    def gone(self, address: Address) -> bool:
        self._look()
        return str(address) not in self._known

    def keep(self) -> None:
        if time.monotonic() - self._wanted_at >= WANT_SECONDS:
            self._wanted_at = time.monotonic()
            registry.want(self._teacher)
        if time.monotonic() - self._looked_at >= LOOK_SECONDS:
            self._look()

    def _look(self) -> None:
        """Reads who is there; raises EngineError where the fleet has given up or is gone."""
        self._looked_at = time.monotonic()
        fleet = Fleet.read()
        silent = self._beat.seconds(None if fleet is None else (fleet.fleet, fleet.beat))
        if silent > registry.DEAD_SECONDS:
            raise EngineError(
                f"nobody serves {self._teacher} any more: run under `sourcewise serve` again"
            )
        if fleet is None:
            return
        served = fleet.teachers.get(self._teacher)
        if served is not None and served.failed is not None:
            raise EngineError(f"{self._teacher}: {served.failed}")
        urls = [one.url for one in registry.replicas(fleet, self._teacher)]
        self._known = {url: self._known.get(url) or Address(url) for url in urls}
        self.key = fleet.key
