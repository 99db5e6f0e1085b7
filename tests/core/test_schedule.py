"""The simulated cluster: who waits for whom, what is free, and what an engine takes for a list of responses."""

import math

import numpy as np
import pytest

from sourcewise.schedule import batching, events, serving
from sourcewise.schedule.batching import Engine
from sourcewise.schedule.events import Job, Machines, Placed
from sourcewise.schedule.serving import Chain, Service

ENGINE = Engine(gpus=2, slots=4, step=1.0, per_sequence=0.25, per_prompt_token=0.01, load=100.0)


def _stepwise(lengths: list[int], engine: Engine) -> float:
    """The same engine, step by step."""
    waiting, running, seconds = list(lengths), [], 0.0
    while waiting or running:
        while waiting and len(running) < engine.slots:
            running.append(waiting.pop(0))
        seconds += engine.step + engine.per_sequence * len(running)
        running = [left - 1 for left in running if left > 1]
    return seconds


@pytest.mark.parametrize("n", [1, 3, 4, 5, 40])
def test_seconds_are_those_of_a_simulation_step_by_step(n: int) -> None:
    lengths = np.random.default_rng(n).integers(1, 60, n)
    took = batching.took(lengths, 7, ENGINE)
    expected = _stepwise(lengths.tolist(), ENGINE)
    assert took.full + took.thin == pytest.approx(expected + 0.07)
    assert took.seconds == pytest.approx(expected + 0.07 + ENGINE.load)


def test_equal_responses_that_fill_the_batch_lose_nothing() -> None:
    assert batching.took(np.full(40, 25), 0, ENGINE).thin == pytest.approx(0)
    assert batching.took(np.array([25, 1, 1, 1]), 0, ENGINE).thin == pytest.approx(25 - 28 / 4)


def test_a_round_with_nothing_to_ask_starts_no_engine() -> None:
    assert batching.took(np.array([], dtype=np.int64), 0, ENGINE).seconds == 0


def test_a_job_waits_for_its_needs_and_for_what_it_holds() -> None:
    jobs = {
        "a": Job(10, gpus=2),
        "b": Job(5, gpus=2),
        "after a": Job(3, ("a",), cores=1),
        "c": Job(1, ("after a",), gpus=1),
    }
    placed = events.run(jobs, Machines(gpus=3, cores=1))
    assert placed == {
        "a": Placed(0, 10),
        "b": Placed(10, 15),
        "after a": Placed(10, 13),
        "c": Placed(13, 14),
    }
    assert events.makespan(placed) == 15
    assert events.longest_chain(jobs) == (14, ["a", "after a", "c"])


def test_small_jobs_do_not_starve_a_large_one() -> None:
    jobs = {"first": Job(10, gpus=1), "large": Job(10, gpus=2), "small": Job(10, gpus=1)}
    placed = events.run(jobs, Machines(gpus=2))
    assert placed["large"].start == 10
    assert placed["small"].start == 20


def test_no_moment_holds_more_than_there_is_and_no_machine_is_idle_while_the_first_in_line_fits() -> (
    None
):
    rng = np.random.default_rng(3)
    jobs = {
        n: Job(
            float(rng.integers(1, 9)),
            tuple(int(need) for need in rng.integers(0, n, 2)) if n else (),
            gpus=int(rng.integers(0, 4)),
            cores=1,
        )
        for n in range(200)
    }
    machines = Machines(gpus=6, cores=5, jobs=4)
    placed = events.run(jobs, machines)
    for moment in {one.start for one in placed.values()}:
        at_work = [jobs[n] for n, one in placed.items() if one.start <= moment < one.end]
        assert sum(job.gpus for job in at_work) <= 6
        assert len(at_work) <= 4
    for n, job in jobs.items():
        assert placed[n].start >= max((placed[need].end for need in job.needs), default=0)
    work = sum(job.seconds for job in jobs.values())
    assert work / 4 <= events.makespan(placed) < work


def test_what_can_never_run_is_an_error() -> None:
    with pytest.raises(ValueError, match="more than there is"):
        events.run({"a": Job(1, gpus=9)}, Machines(gpus=8))
    with pytest.raises(ValueError, match="waits for jobs that wait for it"):
        events.run({"a": Job(1, ("b",)), "b": Job(1, ("a",))}, Machines())
    assert events.longest_chain({}) == (0.0, [])
    assert math.isinf(Machines().gpus)


@pytest.mark.parametrize("n", [0, 3, 40])
def test_a_service_that_one_job_asks_is_an_engine(n: int) -> None:
    lengths = np.random.default_rng(n).integers(1, 60, n)
    alone = serving.serve(
        [Chain([lengths], [0.0])], Service(ENGINE, 1, 1000), together=1, prompt_tokens=0
    )
    took = batching.took(lengths, 0, ENGINE)
    assert alone.ends == [pytest.approx(took.full + took.thin)]
    assert alone.busy == pytest.approx(alone.ends[0])


def _served(chains: list[list[int]], in_flight: int, service: Service) -> list[float]:
    """Chains of one round at a service, step by step."""
    left = [list(lengths) for lengths in chains]
    waiting = [i for i, lengths in enumerate(chains) for _ in lengths[:in_flight]]
    running: list[list[int]] = []
    ends, seconds = [0.0] * len(chains), 0.0
    while waiting or running:
        while waiting and len(running) < service.slots:
            chain = waiting.pop(0)
            running.append([left[chain].pop(0), chain])
        seconds += service.step(len(running))
        for one in running:
            one[0] -= 1
        for _, chain in sorted(one for one in running if not one[0]):
            ends[chain] = seconds
            in_the_queue = waiting.count(chain)
            if len(left[chain]) > in_the_queue:
                waiting.append(chain)
        running = [one for one in running if one[0]]
    return ends


@pytest.mark.parametrize("in_flight", [1, 3, 100])
def test_jobs_that_ask_one_service_end_as_step_by_step(in_flight: int) -> None:
    rng = np.random.default_rng(in_flight)
    chains = [rng.integers(1, 60, n) for n in (30, 5, 17)]
    service = Service(ENGINE, 2, in_flight)
    found = serving.serve(
        [Chain([one], [0.0]) for one in chains], service, together=1, prompt_tokens=0
    )
    assert found.ends == pytest.approx(
        _served([one.tolist() for one in chains], in_flight, service)
    )


def test_a_round_begins_when_the_neighbours_that_are_judged_with_it_are_answered() -> None:
    rounds = [np.array([10]), np.array([10])]
    longer = [np.array([30]), np.array([10])]
    chains = [Chain(rounds, [5.0, 0.0]), Chain(longer, [7.0, 0.0]), Chain(rounds, [5.0, 0.0])]
    engine = ENGINE._replace(per_sequence=0.0)
    together = serving.serve(chains, Service(engine, 1, 9), together=2, prompt_tokens=0)
    assert together.ends == [47, 47, 25]
    alone = serving.serve(chains, Service(engine, 1, 9), together=1, prompt_tokens=0)
    assert alone.ends == [25, 47, 25]
    assert alone.busy == 40, "nobody asks while the last chain is judged"
