"""What the report's intervals and verdicts are worth in simulation: one table, each figure beside its limit.

    STATSMODELS=VENV .venvs/workflow/bin/python tests/bench/bench_statistics.py [--only PART] [--check]

Questions differ in difficulty by a beta distribution, samples of a question are independent given it. `--check`
exits with 1 where a target is missed. Every part draws from its own seed, so that it prints the same alone as
with the others. `±` is two standard errors.
"""

import sys

from figure import main

if __name__ == "__main__":
    sys.exit(main("statistics", __doc__, tools=("numpy", "scipy")))
