"""A plain TRL script with the settings of our train stage, for `bench_students.py --only training`.

    .venvs/model/bin/python tests/bench/students_training_peer.py SETTINGS EXAMPLES OUT

SETTINGS is our section `train` as JSON, EXAMPLES a table of Example rows. Leaves the trained model and
`speed.json`, the seconds and tokens of each step, in OUT. It is what TRL's own examples do: conversations
in, SFTTrainer does the rest; no DeepSpeed, no process but this one.
"""

import json
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer


class Clock(TrainerCallback):
    """Seconds and tokens since the entry before, at each entry of the log."""

    def __init__(self) -> None:
        self.steps: list[dict[str, float]] = []

    def on_train_begin(self, args, state, control, **_) -> None:
        self.last, self.n_tokens = time.perf_counter(), 0.0

    def on_log(self, args, state, control, logs=None, **_) -> None:
        if "loss" in logs:
            now, n_tokens = time.perf_counter(), logs["num_tokens"]
            self.steps.append({"seconds": now - self.last, "tokens": n_tokens - self.n_tokens})
            self.last, self.n_tokens = now, n_tokens


def main(settings: dict, examples: Path, out: Path) -> None:
    """Trains as the settings say."""
    conversations = pq.read_table(examples, columns=["messages"]).to_pylist()
    rows = [{"prompt": r["messages"][:-1], "completion": r["messages"][-1:]} for r in conversations]
    clock = Clock()
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(
            settings["base"], dtype=torch.float32, attn_implementation="sdpa"
        ),
        processing_class=AutoTokenizer.from_pretrained(settings["base"]),
        train_dataset=Dataset.from_list(rows),
        callbacks=[clock],
        args=SFTConfig(
            output_dir=str(out / "checkpoints"),
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            learning_rate=settings["learning_rate"],
            lr_scheduler_type="cosine",
            warmup_steps=settings["warmup_fraction"],
            max_steps=settings["max_steps"],
            per_device_train_batch_size=settings["rows_at_once"],
            gradient_accumulation_steps=settings["global_batch"] // settings["rows_at_once"],
            adam_beta1=settings["adam_betas"][0],
            adam_beta2=settings["adam_betas"][1],
            weight_decay=settings["weight_decay"],
            max_grad_norm=settings["max_grad_norm"],
            max_length=settings["max_length"],
            packing=True,
            logging_steps=1,
            save_steps=0.1,
            save_total_limit=2,
            disable_tqdm=True,
            report_to=[],
        ),
    )
    trainer.train()
    trainer.save_model(str(out / "model"))
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    (out / "speed.json").write_text(json.dumps({"steps": clock.steps, "losses": losses}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
