"""Teachers that are served while a run lasts, as jobs of the simulated cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import paper_numbers as paper
import yaml

from sourcewise.schedule import serving
from sourcewise.schedule.distilling import SECONDS_OF_A_JOB, Shard
from sourcewise.schedule.events import Job, Name
from sourcewise.schedule.serving import Chain, Service

Replicas = tuple[tuple[str, int], ...]

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ROOT / "workflow/profiles/slurm/services.yaml"
# Requests in flight of one job, as engine `server` has them where nothing else is said.
IN_FLIGHT = 64
# The time limit of a replica in services.yaml. Before it the replica takes nothing new while its last
# responses run, half an hour at most, and its successor loads.
LIFE, DRAIN = 24 * 3600.0, 1800.0
# On other clusters than that of services.yaml; on the last, each job has more requests in flight.
REPLICAS: Mapping[int, Replicas] = {
    64: (("qwen3_235b_a22b", 5), ("deepseek_r1", 1)),
    4096: (("qwen3_235b_a22b", 310), ("deepseek_r1", 32)),
}
IN_FLIGHT_4096 = 256


def replicas(gpus: int) -> Replicas:
    """The replicas of each served teacher on so many GPUs; those of services.yaml are for 512."""
    found = yaml.safe_load(SERVICES.read_text())
    of_512 = tuple((teacher, one["replicas"]) for teacher, one in found.items())
    return REPLICAS.get(gpus, of_512)


def lost(teacher: str) -> float:
    """The share of a replica's life in which it loads or drains."""
    return (paper.ENGINES[teacher].load + DRAIN / 2) / LIFE


def jobs(
    teacher: str,
    shards: Sequence[Shard],
    lengths: Sequence[Sequence[paper.Lengths]],
    n: int,
    *,
    together: int,
    in_flight: int = IN_FLIGHT,
) -> Iterator[tuple[Name, Job]]:
    """The service, which holds the GPUs of its replicas, and for each shard its loop and its perplexity."""
    engine = paper.ENGINES[teacher]
    slower = 1 / (1 - lost(teacher))
    lived = engine._replace(step=engine.step * slower, per_sequence=engine.per_sequence * slower)
    pauses = [[one.judging + 2 * SECONDS_OF_A_JOB for one in shard.rounds] for shard in shards]
    answered = serving.serve(
        [Chain(*pair) for pair in zip(lengths, pauses, strict=True)],
        Service(lived, n, in_flight),
        together=together,
        prompt_tokens=paper.PROMPT_TOKENS,
    )
    yield ("service", teacher), Job(engine.load + max(answered.ends), (), n * engine.gpus)
    for shard, end, pause in zip(shards, answered.ends, pauses, strict=True):
        loop = ("answered", teacher, shard.name)
        yield loop, Job(engine.load + end + pause[-1])
        scoring = shard.scoring + SECONDS_OF_A_JOB
        yield ("perplexity", teacher, shard.name), Job(scoring, (loop,), shard.scorer_gpus)
