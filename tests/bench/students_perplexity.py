"""The perplexity stage beside bare forward passes over the same batches, and its two engines."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from figure import Figure
from jobs import job, run
from students_packing import lengths

from sourcewise.params.distill import Scorer
from sourcewise.scoring import pieces
from sourcewise.stages import perplexity as stage
from sourcewise.synthetic import tokenizer
from sourcewise.synthetic.documents import vocabulary_text
from sourcewise.tables import Message, Perplexity, Query, Response, Verdict, read, write

# A sixteenth of the paper's lengths, which a scorer of this size reads in minutes on a CPU.
RESPONSES, SHORTER, PAIRS, SHARE = 512, 16, 5, 0.9
HIDDEN, LAYERS, POSITIONS = 256, 4, 4096
TURNS = [Message("user", "What is 12 + 7? Think first, then answer.")]


class Made(NamedTuple):
    """What the stage reads, and its scorer."""

    folder: Path
    scorer: Scorer
    texts: list[str]

    def inputs(self) -> dict[str, Path]:
        """The tables by the stage's arguments."""
        names = ("queries", "responses", "verdicts")
        return {name: self.folder / f"{name}.parquet" for name in names}


def figures() -> Iterator[Figure]:
    """The share of bare passes that the stage reaches, and the seconds of a job by either engine."""
    with tempfile.TemporaryDirectory() as name:
        made = make(Path(name))
        plan = batches(made)
        passes = bare(made, plan)
        n_tokens = sum(len(piece.tokens) for batch in plan for piece in batch)
        ratios, speeds = [], []
        for number in range(PAIRS):
            alone = seconds(passes)
            whole = seconds(lambda number=number: scored(made, f"{number}"))
            ratios.append(alone / whole)
            speeds.append((n_tokens / whole, n_tokens / alone))
        ours, theirs = (statistics.median(some) for some in zip(*speeds, strict=True))
        share = statistics.median(ratios)
        yield Figure(
            f"stage perplexity, {RESPONSES} responses, {n_tokens:,} tokens in {len(plan)} batches, a model of "
            f"{HIDDEN} x {LAYERS}; read, load, cut, score, keep, write",
            f"{ours:,.0f} tokens/s",
            f"bare passes {theirs:,.0f}",
            "",
            None,
        )
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        yield Figure(
            f"— its speed by that of the bare passes, median of {PAIRS} pairs",
            f"{share:.2f}",
            spread,
            f"≥ {SHARE}",
            share >= SHARE,
        )
        yield engines(made)


def engines(made: Made) -> Figure:
    """A job from its start to its end, and how far the engines are apart."""
    spent, found = {}, {}
    for name in stage.ENGINES:
        os.environ["SOURCEWISE_SCORING"] = name
        out = made.folder / f"{name}.parquet"
        arguments = {**made.inputs(), "ledger": made.folder / f"by {name}", "out": out}
        settings = made.scorer.model_dump_json()
        spent[name] = run([job("perplexity", perplexity=settings, **arguments)])
        found[name] = [row.perplexity for row in read(out, Perplexity)]
    del os.environ["SOURCEWISE_SCORING"]
    apart = max(abs(a / b - 1) for a, b in zip(*found.values(), strict=True))
    ours, theirs = (f"{one.seconds:.1f} s, {one.cpu:.1f} CPU-s" for one in spent.values())
    return Figure(
        "— the same as a job from start to end, by transformers; beside it by vLLM",
        ours,
        theirs,
        f"≤ 1e-3 apart: {apart:.1e}",
        apart <= 1e-3,
    )


def scored(made: Made, name: str) -> None:
    """The stage, with nothing in the records."""
    stage.run(
        **{
            key: path if key == "queries" else (path,)  # type: ignore[arg-type]
            for key, path in made.inputs().items()
        },
        perplexity=made.scorer,
        ledger=made.folder / f"ledger {name}",
        out=made.folder / f"{name}.parquet",
    )


def batches(made: Made) -> list[list[pieces.Piece]]:
    """The batches that the stage makes."""
    model = Path(made.scorer.model)
    pairs = [(TURNS, text) for text in made.texts]
    cut = list(pieces.pieces(pieces.tokenizer_of(model), pairs, made.scorer.max_tokens))
    return list(pieces.batches(cut, stage.BATCH_TOKENS))


def bare(made: Made, plan: Sequence[Sequence[pieces.Piece]]) -> Callable[[], None]:
    """Forward passes of a model that is loaded over batches that lie ready; no mask, as in the stage."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(made.scorer.model, dtype=torch.float32).eval()
    ready = []
    for batch in plan:
        width = max(len(piece.tokens) for piece in batch)
        rows = [[*piece.tokens.tolist(), *[0] * (width - len(piece.tokens))] for piece in batch]
        ready.append(torch.tensor(rows))

    def passes() -> None:
        with torch.inference_mode():
            for rows in ready:
                model(input_ids=rows, use_cache=False)

    return passes


def seconds(work: Callable[[], None]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def make(folder: Path) -> Made:
    """Writes a random model and responses with the shape of the paper's lengths, one of each query."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    words = tokenizer.train(vocabulary_text())
    torch.manual_seed(1)
    config = Qwen2Config(
        vocab_size=len(words),
        hidden_size=HIDDEN,
        intermediate_size=3 * HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=POSITIONS,
    )
    model = folder / "model"
    Qwen2ForCausalLM(config).save_pretrained(model)
    words.save_pretrained(model)
    draw = Random(1)
    said = words("\n".join(vocabulary_text()))["input_ids"]
    texts = []
    for n in (lengths(RESPONSES) // SHORTER + 1).tolist():
        start = draw.randrange(max(1, len(said) - n))
        texts.append(words.decode((said[start:] + said)[:n]))
    ids = [f"{n:032x}" for n in range(RESPONSES)]
    scorer = Scorer(model=str(model), revision="local", max_tokens=POSITIONS)
    made = Made(folder, scorer, texts)
    files = made.inputs()
    write(files["queries"], Query, (Query(one, "s", "math", TURNS, "", "MIT") for one in ids))
    write(
        files["responses"],
        Response,
        (
            Response(one, 1, "t", text, "stop", 1, 5, 1, "vllm", "main")
            for one, text in zip(ids, texts, strict=True)
        ),
    )
    write(
        files["verdicts"],
        Verdict,
        (Verdict(one, 1, "scored", 1.0, "", "math", "1") for one in ids),
    )
    return made
