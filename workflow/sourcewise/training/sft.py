"""One process of a supervised fine-tuning: TRL's SFTTrainer under DeepSpeed (paper §7).

Started by the train stage as `python -m sourcewise.training.sft JOB`, once per device. Reads Example rows;
leaves a Hugging Face directory, the counts and the history in the job's directory.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sourcewise import tables
from sourcewise.progress import Progress
from sourcewise.training import export, kernels, memory, packing, rows, speed, template
from sourcewise.training.apart import MixedError
from sourcewise.training.job import Job, last_checkpoint
from sourcewise.training.trainer import NotFiniteError, supervised

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl import SFTConfig, SFTTrainer

# What a pass may keep for the backward pass on a CPU, where nothing is computed again: a layer keeps about
# 40 numbers a token and hidden unit. More rows at once mean fewer passes: a tiny model's step took 1.34 s by
# 16 rows, one at a time, and 0.60 s by all together. On a GPU it is one row.
CPU_BYTES = 1 << 30
KEPT = 40
# Where attention is over all rows together, it costs their square: 1024 was a quarter slower than 512.
CPU_TOKENS_TOGETHER = 512


def main(path: Path) -> None:
    """Runs the job that a file describes: prepares the rows, trains, exports the model."""
    job = Job.model_validate_json(path.read_text(encoding="utf-8"))
    config = configure(job)

    import torch

    with config.distributed_state.main_process_first():
        try:
            tokenizer = template.tokenizer(Path(job.base), job.train.chat_template)
            prepare(job, tokenizer)
        except (
            ValueError
        ) as error:  # a mistake in what we were given, not in the code: no traceback
            raise SystemExit(f"train {job.name}: {error}") from None
    try:
        trainer = fit(job, config, load(job), tokenizer)
        own = job.train.chat_template is None
        export.save(trainer, tokenizer, Path(job.base), job.model, own_template=own)
    except NotFiniteError as error:
        kept = last_checkpoint(job)
        raise SystemExit(f"train {job.name}: {error}; kept: {kept or 'no checkpoint'}") from None
    except MixedError as error:
        raise SystemExit(f"train {job.name}: {error}") from None
    except (MemoryError, RuntimeError, OSError) as error:
        if not memory.ran_out(error):
            raise
        advice = memory.advice(job, device=torch.cuda.is_available())
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise SystemExit(f"train {job.name}: out of memory ({reason}): {advice}") from None
    if config.process_index == 0:
        record(job, trainer)
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def configure(job: Job) -> SFTConfig:
    """The paper's settings in TRL's words; joins the group of processes."""
    import torch

    cpu = not torch.cuda.is_available()
    if cpu:
        without_compilers()

    import deepspeed.comm
    from datasets import disable_progress_bars
    from transformers.utils.logging import disable_progress_bar
    from trl import SFTConfig

    disable_progress_bars()
    disable_progress_bar()
    share, micro = batches(job, budget=cpu_tokens(job) if cpu else job.train.max_length)
    config = SFTConfig(
        output_dir=str(job.checkpoints),
        deepspeed=job.deepspeed,
        use_cpu=cpu,
        bf16=job.train.precision == "bfloat16",
        gradient_checkpointing=not cpu,
        use_liger_kernel=kernels.liger(),
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
        dataset_kwargs={"skip_prepare_dataset": True},  # `packing.training_rows` has done it
        remove_unused_columns=False,
        logging_steps=1,
        save_steps=0.1,  # a share of all steps: a killed training loses at most a tenth
        save_total_limit=2,
        disable_tqdm=True,
        report_to=[],
        dataloader_pin_memory=not cpu,
        ddp_timeout=24 * 3600,  # the other processes wait while the first one tokenises
    )
    # On a CPU nothing has told DeepSpeed of the group of processes yet, and ZeRO-3 would count one.
    deepspeed.comm.init_distributed(auto_mpi_discovery=False, verbose=False)
    return config


def load(job: Job) -> PreTrainedModel:
    """The base; after the configuration, which with ZeRO-3 makes each process load its share only."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(job.base)
    model = AutoModelForCausalLM.from_pretrained(
        job.base,
        dtype=getattr(torch, job.train.precision),
        attn_implementation=kernels.attention(config, job.train.precision),
    )
    if int(os.environ.get("RANK", "0")) == 0:
        used = kernels.told(model.config._attn_implementation, with_liger=kernels.liger())
        print(f"train {job.name}: {used}", file=sys.stderr)
    return model


def without_compilers() -> None:
    """Keeps torch and DeepSpeed from loading or calling a compiler, which a CPU gains nothing from."""
    os.environ.setdefault("DS_ACCELERATOR", "cpu")
    # DeepSpeed decorates an optimizer that we do not use with torch.compile: 1.4 s of imports.
    os.environ["TORCHDYNAMO_DISABLE"] = "1"
    import deepspeed.ops

    # Collectives in shared memory would be compiled at first use; gloo serves as well.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False


def cpu_tokens(job: Job) -> int:
    """Tokens that go through the model at once on a CPU."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(job.base)
    if kernels.attention(config, job.train.precision) != kernels.BY_EXAMPLE:
        return CPU_TOKENS_TOGETHER
    text = config.get_text_config()
    return int(CPU_BYTES // (4 * KEPT * text.hidden_size * text.num_hidden_layers))


def batches(job: Job, *, budget: int) -> tuple[int, int]:
    """Rows per process and step, and rows at once: the largest divisor whose tokens fit the budget."""
    share = job.train.global_batch // job.processes
    fitting = (
        n for n in range(share, 0, -1) if share % n == 0 and n * job.train.max_length <= budget
    )
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
        raise ValueError(
            f"all {counts.examples} examples of {source} are longer than train.max_length"
        )
    job.counts.write_text(counts.model_dump_json(), encoding="utf-8")


def fit(
    job: Job, config: SFTConfig, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> SFTTrainer:
    """Trains, from the last complete checkpoint if the job was interrupted."""
    from transformers import PrinterCallback

    from sourcewise.training.callbacks import callbacks

    trainer = supervised(
        job.rows,
        model=model,
        args=config,
        train_dataset=packing.training_rows(
            job.rows,
            max_length=job.train.max_length,
            packing=job.train.packing,
            multiple_of=job.train.global_batch,
        ),
        processing_class=tokenizer,
        callbacks=callbacks(job.name),
    )
    trainer.remove_callback(PrinterCallback)
    checkpoint = last_checkpoint(job)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    return trainer


def record(job: Job, trainer: Any) -> None:
    """Writes the history of the training, one entry a step, and what its speed is measured by."""
    import torch

    names = ("step", "epoch", "loss", "grad_norm", "learning_rate", "tokens", "seconds")
    steps = [
        {name: entry[name] for name in names}
        for entry in trainer.state.log_history
        if "loss" in entry
    ]
    history = {
        "packed_rows": packing.n_filled(trainer.train_dataset),
        "parameters": speed.parameters(trainer.accelerator.unwrap_model(trainer.model_wrapped)),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "",
        "steps": steps,
    }
    job.history.write_text(json.dumps(history), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    # Everything is on disk. Leaving in the ordinary way, a process of a group now and then aborts in the
    # destructor of a thread that gloo left running (seen with two processes and ZeRO-3), and looks failed.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
