"""The estimators against statsmodels, in its own environment, on the same inputs.

STATSMODELS names that environment (`statsmodels_peer.py` says how it is made); without it nothing is measured.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from figure import Figure
from simulated import ALPHA, LEVEL

from sourcewise import statistics


def figures() -> Iterator[Figure]:
    """The largest gaps of each estimator; none where STATSMODELS is not set."""
    if home := os.environ.get("STATSMODELS"):
        yield from _closed_forms(str(Path(home) / "bin/python"))


def _closed_forms(peer: str) -> Iterator[Figure]:
    """Ours against statsmodels in its own environment, on the same inputs."""
    rng = np.random.default_rng(1)
    proportions = [(s, n) for n in (1, 7, 30, 500) for s in range(0, n + 1, max(1, n // 7))]
    families = rng.random((20, 12)).tolist()
    samples = rng.binomial(1, rng.beta(0.5, 0.5, (30, 1)), (30, 16))
    effects = [(0.05, 0.4), (0.1, 0.3), (0.02, 0.2)]
    asked = {
        "proportions": proportions,
        "holm": families,
        "clustered": samples.tolist(),
        "needed": effects,
    }
    answer = subprocess.run(
        [peer, Path(__file__).with_name("statsmodels_peer.py")],
        input=json.dumps(asked),
        check=True,
        capture_output=True,
        text=True,
    )
    theirs = json.loads(answer.stdout)
    means = {str(question): mean for question, mean in enumerate(samples.mean(axis=1).tolist())}
    from_zero = statistics.paired_difference(
        means, dict.fromkeys(means, 0.0), confidence=LEVEL, permutations=1, seed="0"
    )
    assert from_zero is not None
    ours = {
        "wilson": [statistics.wilson(s, n, LEVEL)[1:3] for s, n in proportions],
        "exact": [statistics.exact(s, n, LEVEL)[1:3] for s, n in proportions],
        "holm": [statistics.holm(row) for row in families],
        "clustered": [from_zero.spread / math.sqrt(from_zero.n)],
        "needed": [statistics.questions_needed(*effect, alpha=ALPHA) for effect in effects],
    }
    said = {
        "wilson": f"Wilson intervals of {len(proportions)} proportions",
        "exact": f"Clopper-Pearson intervals of {len(proportions)} proportions",
        "holm": f"Holm's correction of {len(families)} families of 12",
        "clustered": "cluster-robust standard error, 30 x 16 (OLS with clusters)",
        "needed": "questions needed, 3 effects",
    }
    for name, values in ours.items():
        gap = float(np.max(np.abs(np.asarray(values, dtype=float) - np.asarray(theirs[name]))))
        yield Figure(
            f"{said[name]}: largest gap to statsmodels", f"{gap:.1e}", "", "≤ 1e-9", gap <= 1e-9
        )
