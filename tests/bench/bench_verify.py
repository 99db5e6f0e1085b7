"""What verification costs and how far it can be trusted: one table, each figure beside its limit or its peer.

    .venvs/verify/bin/python tests/bench/bench_verify.py [--only math] [--check]

Each `verify_PART.py` beside this file gives the lines of a part. `--check` exits with 1 where a target is
missed. Ratios are of CPU seconds in this run, so that a busy machine changes them little.
"""

import sys

from figure import main

if __name__ == "__main__":
    sys.exit(main("verify", __doc__, tools=("math-verify", "sympy", "lm-eval")))
