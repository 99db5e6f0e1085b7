"""What the distillation loop costs beside its limits: one table, each figure beside its peer.

    .venvs/model/bin/python tests/bench/bench_generate.py [--only ledger] [--check]

Each `generate_PART.py` beside this file gives the lines of a part. `--check` exits with 1 where a target is
missed.
"""

import sys

from figure import main

if __name__ == "__main__":
    sys.exit(main("generate", __doc__))
