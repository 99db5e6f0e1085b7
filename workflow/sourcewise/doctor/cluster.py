"""Slurm: its programs, its partitions beside those of the profile, and the settings that runs depend on."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import yaml

from sourcewise.doctor.findings import CommandError, Finding, count, listed, say
from sourcewise.slurm_jobs import is_here

PROGRAMS = ("sbatch", "squeue", "scontrol", "scancel", "sinfo")
PROFILE = Path("workflow/profiles/slurm/config.yaml")
CHECK = "Slurm"


def slurm() -> list[Finding]:
    """What of Slurm is here; nothing at all is no fault."""
    found = [name for name in PROGRAMS if shutil.which(name)]
    if not found:
        return [Finding(CHECK, "ok", "not on this machine: runs use its own cores")]
    missing = [name for name in PROGRAMS if name not in found]
    if missing:
        return [
            Finding(CHECK, "problem", f"without {listed(missing)}", "apt-get install slurm-client")
        ]
    try:
        config = _config(say("scontrol", "show", "config"))
        partitions = _partitions(say("sinfo", "--noheader", "--format=%R|%a|%D|%G|%l"))
    except CommandError as error:
        seen = f"its programs are here, but the controller does not answer: {error}"
        return [
            Finding(CHECK, "warning", seen, "scontrol ping; on a machine of its own: no matter")
        ]
    up = [
        f"{name} ({nodes} nodes{gpus})"
        for name, (state, nodes, gpus) in partitions.items()
        if state == "up"
    ]
    findings = [
        Finding(
            CHECK,
            "ok",
            f"{config.get('ClusterName', 'cluster')}: {listed(up) or 'no partition is up'}",
        )
    ]
    return [*findings, *_settings(config), *_profile(partitions), *_leftovers()]


def _config(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines())
    return {name.strip(): value.strip() for name, mark, value in pairs if mark}


def _partitions(text: str) -> dict[str, tuple[str, str, str]]:
    """State, nodes and GPUs of each partition; one with nodes of several kinds has several lines."""
    found: dict[str, tuple[str, str, str]] = {}
    for line in text.splitlines():
        name, state, nodes, gres, _ = (line.split("|") + [""] * 5)[:5]
        gpus = ", " + gres if gres.startswith("gpu") else ""
        before = found.get(name.strip("*"), (state, "0", ""))
        total = int(before[1]) + int(nodes) if nodes.isdecimal() else int(before[1])
        found[name.strip("*")] = (state, str(total), before[2] or gpus)
    return found


def _settings(config: dict[str, str]) -> list[Finding]:
    profile = _read_profile()
    findings = []
    accounting = config.get("AccountingStorageType", "").rpartition("/")[2]
    by_squeue = profile.get("slurm-status-command") == "squeue"
    kept = int((re.match(r"\d+", config.get("MinJobAge", "")) or ["300"])[0])
    first = int(profile.get("slurm-init-seconds-before-status-checks", 40))
    if accounting in ("none", "") and not by_squeue:
        findings.append(
            Finding(
                CHECK,
                "problem",
                "keeps no accounts, and the profile asks them (sacct) how jobs end: a run would hang",
                f"status_command: squeue in {PROFILE}",
            )
        )
    elif by_squeue and kept < 3 * first:
        findings.append(
            Finding(
                CHECK,
                "problem",
                f"forgets jobs after {kept} s (MinJobAge), before a run has asked how they ended",
                f"MinJobAge={max(300, 3 * first)} in slurm.conf, or accounting, or fewer "
                f"seconds_between_questions in {PROFILE}",
            )
        )
    else:
        how = "squeue" if by_squeue else f"sacct ({accounting})"
        findings.append(Finding(CHECK, "ok", f"jobs' ends by {how}, MinJobAge {kept} s"))
    if os.environ.get("SLURM_CONF") and not Path("/etc/slurm/slurm.conf").exists():
        findings.append(
            Finding(
                CHECK,
                "problem",
                "found by SLURM_CONF only, which Snakemake's job steps delete: every job would fail",
                f"ln -s {os.environ['SLURM_CONF']} /etc/slurm/slurm.conf, on all nodes",
            )
        )
    if os.environ.get("SLURM_JOB_ID"):
        seen = "this is inside a job: Snakemake there loses SLURM_* variables"
        findings.append(Finding(CHECK, "warning", seen, "start it on a login node, in tmux"))
    return findings


def _profile(partitions: dict[str, tuple[str, str, str]]) -> list[Finding]:
    profile = _read_profile()
    resources = [
        profile.get("default-resources") or {},
        *(profile.get("set-resources") or {}).values(),
    ]
    # What depends on a job is an expression, whose partitions other rules name, too.
    found = (str(one["slurm_partition"]) for one in resources if "slurm_partition" in one)
    named = {name for name in found if re.fullmatch(r"[\w.-]+", name)}
    if unknown := sorted(named - set(partitions)):
        return [
            Finding(
                CHECK,
                "problem",
                f"has no partition {listed(unknown)}, which the profile names",
                f"correct the block SITE of {PROFILE}: there are {listed(sorted(partitions))}",
            )
        ]
    return []


def _leftovers() -> list[Finding]:
    """Jobs of an earlier run, which would write where the next one writes."""
    prefix = str(_read_profile().get("slurm-jobname-prefix", "sourcewise"))
    try:
        lines = say("squeue", "--me", "--noheader", "--format=%i|%j|%Z").splitlines()
    except CommandError:
        return []
    cells = (line.split("|", 2) for line in lines if line.count("|") >= 2)
    mine = [job for job, name, folder in cells if name.startswith(prefix) and is_here(folder)]
    if not mine:
        return []
    seen = f"{count(len(mine), 'job')} of an earlier run: {listed(mine)}"
    fix = f"if no run is at work: scancel {' '.join(mine[:20])}"
    return [Finding(CHECK, "warning", seen, fix)]


def _read_profile() -> dict[str, Any]:
    """The profile as Snakemake reads it, with its expressions evaluated; empty where there is none."""
    import yte

    try:
        text = PROFILE.read_text(encoding="utf-8")
        return dict(yte.process_yaml(text, require_use_yte=True) or {})
    except (OSError, ValueError, yaml.YAMLError):
        return {}
