"""statsmodels' answers to what `statistics_closed_forms.py` asks on stdin, as JSON on stdout.

    python -m venv VENV && VENV/bin/pip install statsmodels==0.14.6

Intervals of proportions, Holm's correction, the cluster-robust standard error of a mean of samples
(rows are questions, columns samples), and the sample size of a two-sided normal test with power 0.8.
"""

import json
import sys

import numpy as np
from statsmodels.api import OLS
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import normal_sample_size_one_tail
from statsmodels.stats.proportion import proportion_confint


def main() -> None:
    asked = json.load(sys.stdin)
    rows = np.asarray(asked["clustered"], dtype=float)
    groups = np.repeat(np.arange(len(rows)), rows.shape[1])
    fitted = OLS(rows.ravel(), np.ones(rows.size)).fit(
        cov_type="cluster", cov_kwds={"groups": groups}
    )
    answer = {
        "wilson": [proportion_confint(s, n, 0.05, "wilson") for s, n in asked["proportions"]],
        "exact": [proportion_confint(s, n, 0.05, "beta") for s, n in asked["proportions"]],
        "holm": [multipletests(row, method="holm")[1].tolist() for row in asked["holm"]],
        "clustered": [float(fitted.bse[0])],
        "needed": [
            float(np.ceil(normal_sample_size_one_tail(difference, 0.8, 0.025, spread)))
            for difference, spread in asked["needed"]
        ],
    }
    json.dump(answer, sys.stdout, default=float)


if __name__ == "__main__":
    main()
