"""One process of a supervised fine-tuning: TRL's SFTTrainer under DeepSpeed (PAPER §7).

Started by the train stage as `python -m sourcewise.training.sft JOB`, once per device. Reads Example rows;
leaves a Hugging Face directory, the counts and the history in the job's directory.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sourcewise import tables
from sourcewise.progress import Progress
from sourcewise.training import export, rows
from sourcewise.training.job import Job, last_checkpoint

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl import SFTConfig, SFTTrainer

# Rows that go through the model at once on a CPU, in tokens: packed rows are flattened into one sequence,
# so attention costs their square; on a GPU one row fills the device.
CPU_TOKENS = 512


def main(path: Path) -> None:
    """Runs the job that a file describes; a mistake in its inputs ends the process with one line."""
    job = Job.model_validate_json(path.read_text(encoding="utf-8"))
    try:
        train(job)
    except ValueError as error:
        raise SystemExit(f"train {job.name}: {error}") from error


def train(job: Job) -> None:
    """Prepares the rows, trains from the last checkpoint if there is one, and exports the model."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    config = configure(job)
    tokenizer = AutoTokenizer.from_pretrained(job.base)
    with config.distributed_state.main_process_first():
        prepare(job, tokenizer)
    # After the configuration: with ZeRO-3 it makes from_pretrained load each process's share only.
    model = AutoModelForCausalLM.from_pretrained(
        job.base, dtype=getattr(torch, job.train.precision), attn_implementation="sdpa"
    )
    trainer = fit(job, config, model, tokenizer)
    export.save(trainer, tokenizer, job.model)
    if config.process_index == 0:
        record(job, trainer)
    torch.distributed.destroy_process_group()


def configure(job: Job) -> SFTConfig:
    """The paper's settings in TRL's words; joins the group of processes."""
    import deepspeed.ops
    import torch
    from trl import SFTConfig

    cpu = not torch.cuda.is_available()
    if cpu:
        # Shared-memory collectives are compiled at first use; gloo needs no compiler and is as good here.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    share, micro = batches(job, budget=CPU_TOKENS if cpu else job.train.max_length)
    return SFTConfig(
        output_dir=str(job.checkpoints),
        deepspeed=job.deepspeed,
        use_cpu=cpu,
        bf16=job.train.precision == "bfloat16",
        gradient_checkpointing=not cpu,
        seed=job.seed,
        data_seed=job.seed,
        learning_rate=job.train.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=job.train.warmup_fraction,
        num_train_epochs=job.train.epochs or 1,
        max_steps=job.train.max_steps or -1,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=share // micro,
        adam_beta1=job.train.adam_betas[0],
        adam_beta2=job.train.adam_betas[1],
        weight_decay=job.train.weight_decay,
        max_grad_norm=job.train.max_grad_norm,
        max_length=job.train.max_length,
        packing=job.train.packing,
        packing_strategy="bfd",
        logging_steps=1,
        save_steps=0.1,  # a share of all steps: a killed training loses at most a tenth
        save_total_limit=2,
        disable_tqdm=True,
        report_to=[],
        dataloader_pin_memory=not cpu,
        ddp_timeout=24 * 3600,  # the other processes wait while the first one tokenises
    )


def batches(job: Job, *, budget: int) -> tuple[int, int]:
    """Rows per process and step, and rows at once: the largest divisor whose tokens fit the budget."""
    share = job.train.global_batch // job.processes
    fitting = (n for n in range(share, 0, -1) if share % n == 0 and n * job.train.max_length <= budget)
    return share, next(fitting, 1)


def prepare(job: Job, tokenizer: PreTrainedTokenizerBase) -> None:
    """Tokenises the examples, unless that is done."""
    if job.counts.exists():
        return
    source = Path(job.examples)
    progress = Progress(f"tokenise {job.name}", tables.count(source, tables.Example), "examples")
    stream = rows.rows(tokenizer, tables.read(source, tables.Example), system=job.train.system)
    counts = rows.write(job.rows, stream, max_length=job.train.max_length, progress=progress)
    progress.finish()
    if counts.excluded:
        print(
            f"train {job.name}: {counts.excluded:,} of {counts.examples:,} examples are longer than "
            f"train.max_length {job.train.max_length:,} tokens and left out",
            file=sys.stderr,
        )
    if not counts.trained:
        raise ValueError(f"all {counts.examples} examples of {source} are longer than train.max_length")
    job.counts.write_text(counts.model_dump_json(), encoding="utf-8")


def fit(
    job: Job, config: SFTConfig, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> SFTTrainer:
    """Trains, from the last complete checkpoint if the job was interrupted."""
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl import SFTTrainer

    from sourcewise.training.callbacks import Complete, Say

    trainer = SFTTrainer(
        model=model,
        args=config,
        train_dataset=Dataset.from_file(str(job.rows)),
        processing_class=tokenizer,
        callbacks=[Complete(), Say(job.name)],
    )
    trainer.remove_callback(PrinterCallback)
    checkpoint = last_checkpoint(job)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    return trainer


def record(job: Job, trainer: Any) -> None:
    """Writes the history of the training, one entry a step."""
    steps = [
        {key: entry[key] for key in ("step", "epoch", "loss", "learning_rate")}
        for entry in trainer.state.log_history
        if "loss" in entry
    ]
    history = {"packed_rows": len(trainer.train_dataset), "steps": steps}
    job.history.write_text(json.dumps(history), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
