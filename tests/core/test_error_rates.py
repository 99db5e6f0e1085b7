"""How often verifiers err, with exact intervals, and what retrying makes of it."""

import itertools
import json
import math
import random
from pathlib import Path

import pytest

from finished_run import Tree
from sourcewise import error_rates, statistics
from sourcewise.error_rates import Audit, Count


def _count(**given: object) -> Count:
    zeros = {"right": 0, "wrong": 0, "false_accepts": 0, "false_rejects": 0, "unjudged": 0}
    return Count(set="s", verifier="math", version="2", skipped=0, **{**zeros, **given})


def test_an_exact_interval_of_nothing_seen_is_the_rule_of_three() -> None:
    found = statistics.exact(0, 3275, 0.95)
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 3275))
    assert statistics.exact(7, 7, 0.95)[1:3] == pytest.approx((0.025 ** (1 / 7), 1.0))


def test_an_exact_interval_has_the_ends_of_the_binomial_tails() -> None:
    k, n = 3, 40
    _, low, high, _ = statistics.exact(k, n, 0.9)
    at_least = sum(math.comb(n, i) * low**i * (1 - low) ** (n - i) for i in range(k, n + 1))
    at_most = sum(math.comb(n, i) * high**i * (1 - high) ** (n - i) for i in range(k + 1))
    assert (at_least, at_most) == pytest.approx((0.05, 0.05))


@pytest.mark.parametrize("truth", [0.001, 0.01, 0.03, 0.2, 0.5, 0.97])
def test_an_exact_interval_covers_as_often_as_it_says(truth: float) -> None:
    n = 60
    covered = 0.0
    for k in range(n + 1):
        _, low, high, _ = statistics.exact(k, n, 0.95)
        if low <= truth <= high:
            covered += math.comb(n, k) * truth**k * (1 - truth) ** (n - k)
    assert covered >= 0.95


def test_rates_are_none_without_answers_to_count() -> None:
    count = _count(right=10, false_rejects=1)
    assert count.false_accept(0.95) is None
    assert count.false_reject(0.95) == statistics.exact(1, 10, 0.95)


def test_a_query_that_is_never_solved_is_accepted_the_more_the_longer_one_tries() -> None:
    assert error_rates.hopeless(0.02, 8) == pytest.approx(1 - 0.98**8)
    assert error_rates.hopeless(1e-18, 8) == pytest.approx(8e-18)
    assert (error_rates.hopeless(0.0, 8), error_rates.hopeless(1.0, 8)) == (0.0, 1.0)


def _expected(chances: list[float], f: float, r: float, attempts: int) -> float:
    """The share of wrong rows among those accepted, query by query and attempt by attempt."""
    wrong = accepted = 0.0
    for p in chances:
        still_open = 1.0
        for _ in range(attempts):
            wrong += still_open * (1 - p) * f
            accepted += still_open * ((1 - p) * f + p * (1 - r))
            still_open *= 1 - (1 - p) * f - p * (1 - r)
    return wrong / accepted


def test_the_share_of_wrong_rows_is_that_of_queries_solved_always_or_never() -> None:
    for f, r, attempts in itertools.product((0.001, 0.02, 0.3), (0.0, 0.01, 0.2), (1, 4, 8)):
        share = error_rates.wrong_share(f, r, success=0.25, attempts=attempts)
        assert share == pytest.approx(_expected([0.0, 0.0, 0.0, 1.0], f, r, attempts))


def test_no_teacher_of_the_same_success_has_more_wrong_rows_or_fewer_than_one_try_makes() -> None:
    draw = random.Random(1)
    for _ in range(300):
        chances = [draw.random() ** draw.choice([0.2, 1, 5]) for _ in range(draw.randint(1, 12))]
        f, r, attempts = draw.random() * 0.5, draw.random() * 0.5, draw.randint(1, 12)
        mean = sum(chances) / len(chances)
        found = _expected(chances, f, r, attempts)
        most = error_rates.wrong_share(f, r, success=mean, attempts=attempts)
        least = error_rates.wrong_share(f, r, success=mean, attempts=1)
        assert most is not None
        assert least is not None
        assert least - 1e-12 <= found <= most + 1e-12


def test_success_is_found_again_behind_what_was_accepted() -> None:
    accepted = 0.3 * (1 - 0.1) + 0.7 * 0.02
    assert error_rates.success(accepted, 0.02, 0.1) == pytest.approx(0.3)
    assert error_rates.success(0.01, 0.02, 0.1) == 0.0
    assert error_rates.success(0.5, 0.6, 0.5) == 0.0


def _write(path: Path) -> Path:
    counted = _count(right=2001, wrong=3275, false_accepts=66, false_rejects=20)
    audit = Audit(min_score=0.9, sets=(counted, counted.model_copy(update={"verifier": "code"})))
    path.write_text(audit.model_dump_json())
    return path


def test_the_report_shows_the_error_of_verifiers_where_an_audit_is_named(tree: Tree) -> None:
    tree.audit = _write(tree.root / "audit.json")
    page, summary = tree.report()
    assert '<section id="errors"><h2>Verifier error</h2>' in page
    assert '<a href="#errors">' in page
    mine = summary["verifiers"]["math 2 on s"]
    assert mine["false_accept"] == pytest.approx(66 / 3275)
    assert f"{100 * (1 - (1 - 66 / 3275) ** 2):.2f} %" in page
    first = summary["teachers"]
    # 6 and 0 of 8 queries each were accepted at attempt 1, by two teachers.
    accepted = (first["good"]["first"] * 8 + first["poor"]["first"] * 8) / 16
    success = error_rates.success(accepted, 66 / 3275, 20 / 2001)
    share = error_rates.wrong_share(66 / 3275, 20 / 2001, success=success, attempts=2)
    assert mine["wrong_rows"] == pytest.approx(share)
    assert mine["wrong_rows_low"] < mine["wrong_rows"] < mine["wrong_rows_high"]
    # No query of the corpus is a program, so nothing is known of how often those are solved.
    assert summary["verifiers"]["code 2 on s"]["wrong_rows"] is None


def test_without_an_audit_the_page_says_nothing_of_errors(tree: Tree) -> None:
    page, summary = tree.report()
    assert 'id="errors"' not in page
    assert 'href="#errors"' not in page
    assert summary["verifiers"] == {}


@pytest.mark.parametrize("content", [None, "{}", "not JSON", json.dumps({"min_score": 7})])
def test_an_audit_that_cannot_be_read_names_its_file(tree: Tree, content: str | None) -> None:
    tree.audit = tree.root / "audit.json"
    if content is not None:
        tree.audit.write_text(content)
    with pytest.raises(SystemExit, match=r"audit\.json .*sourcewise audit"):
        tree.report()


def _exact(n: int, of: int) -> statistics.Interval:
    return statistics.exact(n, of, 0.95)


def test_a_score_without_errors_is_the_share_that_errors_would_turn_into_the_one_measured() -> None:
    accept, reject = _exact(20, 400), _exact(30, 300)
    for truth in (0.0, 0.3, 0.97, 1.0):
        measured = truth * (1 - reject.value) + (1 - truth) * accept.value
        found = error_rates.corrected(
            statistics.Interval(measured, measured, measured, 50), accept, reject
        )
        assert found is not None
        assert found.value == pytest.approx(truth, abs=1e-9)
        assert found.low <= truth + 1e-9
        assert found.high >= truth - 1e-9
        assert found.low < found.high


def test_a_perfect_verifier_leaves_a_score_as_it_is_and_one_that_guesses_says_nothing() -> None:
    measured = statistics.wilson(12, 30, 0.95)
    sure = statistics.Interval(0.0, 0.0, 0.0, 1000)
    assert error_rates.corrected(measured, sure, sure) == pytest.approx(measured, abs=1e-12)
    assert error_rates.corrected(measured, _exact(50, 100), _exact(50, 100)) is None


def test_intervals_without_errors_cover_the_true_share() -> None:
    rng = random.Random(5)
    truth, f, r, n = 0.4, 0.05, 0.1, 200
    covered = 0
    for _ in range(400):
        wrong, right = 150, 150
        accept = _exact(sum(rng.random() < f for _ in range(wrong)), wrong)
        reject = _exact(sum(rng.random() < r for _ in range(right)), right)
        passed = sum(rng.random() < (1 - r if rng.random() < truth else f) for _ in range(n))
        found = error_rates.corrected(statistics.wilson(passed, n, 0.95), accept, reject)
        assert found is not None
        covered += found.low <= truth <= found.high
    assert 0.93 <= covered / 400 <= 1


def test_the_least_lead_is_that_of_the_worst_errors_within_the_intervals() -> None:
    accept, reject = _exact(2, 100), _exact(3, 100)
    first, second = 0.8, 0.6
    corners = [
        (first - f) / (1 - f - r) - (second - g) / (1 - g - s)
        for f, g in itertools.product(accept[1:3], repeat=2)
        for r, s in itertools.product(reject[1:3], repeat=2)
    ]
    least = error_rates.least_difference(first, second, accept, reject)
    assert least == pytest.approx(min(corners), abs=1e-12)
    assert error_rates.least_difference(first, second, _exact(5, 10), _exact(5, 10)) == -1


def _audited(tree: Tree, count: Count) -> None:
    tree.audit = tree.root / "audit.json"
    tree.audit.write_text(Audit(min_score=0.9, sets=(count,)).model_dump_json())


def test_the_report_says_what_scores_and_verdicts_are_without_the_verifiers_errors(
    tree: Tree,
) -> None:
    _audited(tree, _count(right=1000, wrong=1000, false_accepts=10, false_rejects=10))
    page, summary = tree.report()
    good = summary["scores"]["exam"]["good"]
    assert good["without_verifier_errors"] == pytest.approx((0.95 - 0.01) / 0.98)
    assert good["without_verifier_errors_low"] < good["score_low"] + 0.01
    pair = summary["pairs"]["exam"]["good over poor"]
    assert pair["without_verifier_errors"] == pytest.approx(0.825 / 0.98)
    assert (pair["least_if_judged_unlike"], pair["survives_verifier_errors"]) == (
        pytest.approx(0.825, abs=0.03), True
    )  # fmt: skip
    assert "Scores without these errors" in page
    assert "without_verifier_errors" not in summary["scores"]["exam"].get("nobody", {})


def test_a_verdict_that_an_unfair_verifier_could_have_made_does_not_survive(tree: Tree) -> None:
    _audited(tree, _count(right=12, wrong=12, false_accepts=2, false_rejects=2))
    _, summary = tree.report()
    pair = summary["pairs"]["exam"]["poor over base"]
    assert (pair["verdict"], pair["survives_verifier_errors"]) == ("better", False)
    assert summary["pairs"]["exam"]["good over poor"]["survives_verifier_errors"] is True


def test_an_audit_of_another_verifier_says_nothing_of_a_score(tree: Tree) -> None:
    other = _count(right=10, wrong=10, false_accepts=1, false_rejects=1)
    _audited(tree, other.model_copy(update={"verifier": "code"}))
    _, summary = tree.report()
    assert "without_verifier_errors" not in summary["scores"]["exam"]["good"]
