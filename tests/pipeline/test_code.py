"""Edits of code: what means something else is stale in both tools, and only as far as it changes a result."""

from __future__ import annotations

from pathlib import Path

import pytest

from working_copy import Copy

MATH = "workflow/sourcewise/verifiers/math.py"


@pytest.fixture
def copy(made: Copy, tmp_path: Path) -> Copy:
    return made.twin(tmp_path / "twin")


def _append(copy: Copy, file: str, text: str) -> None:
    path = copy.folder / file
    path.write_text(path.read_text() + text)


def test_a_comment_makes_no_job_stale_and_snakemake_tells_dvc(copy: Copy) -> None:
    _append(copy, MATH, "\n# A remark.\n")
    assert copy.planned() == {}
    assert "distill@terse" in copy.call("dvc status")
    copy.call("snakemake --cores 2")
    assert "up to date" in copy.call("dvc status")


def test_a_layout_makes_no_job_stale(copy: Copy) -> None:
    text = (copy.folder / MATH).read_text()
    (copy.folder / MATH).write_text(text.replace("\n\n\n", "\n\n\n\n\n"))
    assert copy.planned() == {}


def test_code_that_means_something_else_is_stale_where_it_is_imported(copy: Copy) -> None:
    _append(copy, MATH, "\nREMARK = 1\n")
    planned = copy.planned()
    assert planned["verify"] == 4
    assert planned["grade"] == 2
    # Asking comes before judging: only the second round follows from verdicts.
    assert planned["generate"] == 2
    assert "pretrain" not in planned
    assert "clean" not in planned
    status = copy.call("dvc status")
    assert "distill@terse" in status
    assert "benchmark@base" in status
    assert "queries:" not in status


def test_a_job_whose_inputs_come_out_the_same_is_spared(copy: Copy) -> None:
    _append(copy, MATH, "\nREMARK = 1\n")
    before = (copy.folder / "data/report/index.html").read_bytes()
    output = copy.call("snakemake --cores 2")
    assert output.count("rule verify:") == 4
    assert output.count("rule grade:") == 2
    # The verdicts are the same: nobody is asked, selected, trained or compared again.
    for rule in ("generate", "perplexity", "select", "filter", "train", "sample", "report"):
        assert f"rule {rule}:" not in output, rule
    assert "spared" in output
    assert (copy.folder / "data/report/index.html").read_bytes() == before
    assert copy.planned() == {}
    assert "up to date" in copy.call("dvc status")


def test_of_a_group_only_those_run_whose_outputs_are_not_what_they_would_be(copy: Copy) -> None:
    _append(copy, "workflow/sourcewise/stages/generate.py", "\nREMARK = 1\n")
    copy.folder.joinpath("data/distill/terse/round-1/arithmetic-0000.verdicts.parquet").unlink()
    grouped = "--groups verify=judging-{attempt} --group-components judging-{attempt}=2"
    output = copy.call(f"snakemake --cores 2 {grouped}")
    assert output.count("rule generate:") == 4
    assert output.count("rule verify:") == 1
    assert "rule perplexity:" not in output
    assert copy.planned() == {}


@pytest.mark.parametrize("forced", ["FILES", "generate verify"])
def test_what_a_run_is_told_to_make_anew_is_not_spared(forced: str, copy: Copy) -> None:
    responses = "data/distill/terse/round-1/arithmetic-0000.responses.parquet"
    verdicts = responses.replace("responses", "verdicts")
    told = forced.replace("FILES", f"{responses} {verdicts}")
    output = copy.call(f"snakemake --cores 2 --forcerun {told} -- {verdicts}")
    assert output.count("rule generate:") == 1
    assert output.count("rule verify:") == 1
    assert "spared" not in output
    assert copy.planned() == {}


def test_a_job_runs_when_one_of_its_inputs_comes_out_different(copy: Copy) -> None:
    copy.edit("max_count: 20", "max_count: 1")
    output = copy.call("snakemake --cores 2")
    assert output.count("rule filter:") == 1
    assert output.count("rule report:") == 1
    assert copy.planned() == {}


@pytest.mark.parametrize(
    ("file", "old", "new", "names"),
    [
        (
            "workflow/rules/dataset.smk",
            'P("dataset@{dataset}", "seed")',
            'P("dataset@{dataset}", "train")',
            ("'dataset@terse'", "'train'", "dvc.yaml"),
        ),
        (
            "workflow/sourcewise/stages/select.py",
            "from sourcewise import tables\n",
            "from sourcewise import ledger, tables\n",
            ("'dataset@terse'", "workflow/sourcewise/ledger.py", "dvc.yaml"),
        ),
    ],
)
def test_what_dvc_yaml_does_not_declare_stops_at_parse(
    copy: Copy, file: str, old: str, new: str, names: tuple[str, ...]
) -> None:
    path = copy.folder / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    said = copy.refused("snakemake -n")
    for name in names:
        assert name in said
