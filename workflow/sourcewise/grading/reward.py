"""A local reward model as its caller sees it: a process of the model environment, asked over its pipes.

The environment of the verifiers has no torch, so `$SOURCEWISE_MODEL_PYTHON` names the Python that runs
`grading.reward_model`. Its end, its silence and its nonsense cost the replies of one batch, which are
`infrastructure`; the next batch starts it again, a few times at most.
"""

from __future__ import annotations

import json
import math
import os
import select
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import sourcewise
from sourcewise.grading import reward_model
from sourcewise.params.distill import Reward
from sourcewise.tables import Message

PYTHON = "SOURCEWISE_MODEL_PYTHON"
UNAVAILABLE = (
    f"no Python to run the reward model with: set {PYTHON} to that of an environment that has torch and "
    "transformers, such as .venvs/model/bin/python"
)
LOADING_SECONDS = 3600.0  # a first start may download 16 GB
SILENT_SECONDS = (
    600.0  # between two replies; a batch of long conversations on processors takes minutes
)
FAILURES = 3  # in a row, after which it is not started again
MAX_LINE = 1 << 20


class Rating(NamedTuple):
    """The model's outputs by name, or why there are none: a status and a sentence."""

    outputs: dict[str, float]
    status: str
    detail: str


class _UnusableError(RuntimeError):
    """There is no reward model to ask; the message says what is missing."""


class RewardModel:
    """Rates conversations; its process starts with the first of them and ends with the `with` block."""

    def __init__(self, knobs: Reward) -> None:
        self._knobs = knobs
        self._process: subprocess.Popen[bytes] | None = None
        self._received = b""
        self._failures = 0
        self._unusable = ""

    def __enter__(self) -> RewardModel:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def rate(self, conversations: Sequence[Sequence[Message]]) -> list[Rating]:
        """One rating per conversation, each of which ends with the reply to rate."""
        ratings: dict[int, Rating] = {}
        missing = Rating({}, "", "")
        try:
            self._start()
            self._send([[(turn.role, turn.content) for turn in one] for one in conversations])
            while len(ratings) < len(conversations):
                number, rating = self._read(self._receive(SILENT_SECONDS))
                ratings[number] = rating
            self._failures = 0
        except _UnusableError as error:
            missing = Rating({}, "unavailable", str(error))
        except (OSError, EOFError, LookupError, ValueError, TypeError) as error:
            self._failures += 1
            self._end()
            missing = Rating({}, "infrastructure", f"the reward model's process: {error}")
        return [ratings.get(number, missing) for number in range(len(conversations))]

    def _start(self) -> None:
        """Starts the process where there is none, and waits until the model is loaded."""
        if self._process is not None:
            return
        python = os.environ.get(PYTHON)
        self._unusable = self._unusable or ("" if python else UNAVAILABLE)
        if self._unusable or not python:
            raise _UnusableError(self._unusable)
        if self._failures >= FAILURES:
            raise EOFError(f"failed {FAILURES} times in a row")
        package = str(Path(sourcewise.__file__).parents[1])
        path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [python, "-m", reward_model.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        self._received = b""
        self._send(self._knobs.model_dump())
        self._unusable = json.loads(self._receive(LOADING_SECONDS))["problem"]
        if self._unusable:
            self._end()
            raise _UnusableError(self._unusable)

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _send(self, content: Any) -> None:
        """Writes a line. Raises TimeoutError where nobody reads it."""
        assert self._process is not None
        assert self._process.stdin is not None
        target = self._process.stdin.fileno()
        os.set_blocking(target, False)
        left = memoryview(json.dumps(content).encode() + b"\n")
        while left:
            if not select.select([], [target], [], SILENT_SECONDS)[1]:
                raise TimeoutError(f"does not read for {SILENT_SECONDS:g} s")
            left = left[os.write(target, left) :]

    def _receive(self, seconds: float) -> bytes:
        """The next line. Raises EOFError, TimeoutError and ValueError where none comes."""
        assert self._process is not None
        assert self._process.stdout is not None
        source, deadline = self._process.stdout.fileno(), time.monotonic() + seconds
        while b"\n" not in self._received:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([source], [], [], left)[0]:
                raise TimeoutError(f"silent for {seconds:g} s")
            part = os.read(source, 65536)
            if not part:
                raise EOFError(f"ended with exit code {self._process.wait()}")
            self._received += part
            if len(self._received) > MAX_LINE:
                raise ValueError("it says what nobody asked")
        line, _, self._received = self._received.partition(b"\n")
        return line

    def _read(self, line: bytes) -> tuple[int, Rating]:
        reply = json.loads(line)
        if problem := reply.get("problem"):
            detail = f"the reward model cannot read the conversation: {problem}"
            return reply["number"], Rating({}, "judge_error", detail)
        if n_tokens := reply.get("n_tokens"):
            most = reply["max_tokens"]
            detail = f"conversation and reply have {n_tokens} tokens, the reward model reads {most}"
            return reply["number"], Rating({}, "truncated", detail)
        outputs = [float(output) for output in reply["outputs"]]
        if not all(map(math.isfinite, outputs)):
            return reply["number"], Rating({}, "judge_error", f"the reward model says {outputs}")
        named = dict(zip(self._knobs.outputs, outputs, strict=True))
        return reply["number"], Rating(named, "", "")
