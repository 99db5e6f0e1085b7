"""EvalPlus' own verdicts on programs: read as JSON from stdin, written as a line of JSON each.

    python3 -m venv VENV && VENV/bin/pip install --no-deps evalplus==0.3.1
    VENV/bin/pip install appdirs fire multipledispatch numpy psutil tempdir termcolor tqdm wget

`verify_evalplus.py` runs this inside the sandbox, where there is no /proc and what EvalPlus writes is lost.
The request is `{"dataset": "humaneval" or "mbpp", "tasks": [row and its "programs", …]}`.
"""

import json
import sys
import types


def main() -> None:
    print("ready", flush=True)
    request = json.load(sys.stdin)
    # Loaded to download problems, which are given here.
    sys.modules["datasets"] = types.ModuleType("datasets")
    sys.modules["datasets"].load_dataset = None
    from evalplus import eval as evaluator
    from evalplus.data.mbpp import mbpp_deserialize_inputs
    from evalplus.gen.util import trusted_exec

    # It asks /proc how much memory there is; the sandbox has a limit of its own.
    evaluator.query_maximum_memory_bytes = lambda: None
    dataset = request["dataset"]
    for task in request["tasks"]:
        inputs = [*task["base_input"], *(task["plus_input"] or [])]
        if dataset == "mbpp":
            inputs = mbpp_deserialize_inputs(task["task_id"], inputs)
        name = task["entry_point"]
        expected, seconds = trusted_exec(
            task["prompt"] + task["canonical_solution"],
            inputs,
            name,
            record_time=True,
            output_not_none=name in evaluator.MBPP_OUTPUT_NOT_NONE_TASKS,
        )
        verdicts = []
        for program in task["programs"]:
            status, details = evaluator.untrusted_check(
                dataset, program, inputs, name, expected, task["atol"], seconds, fast_check=True
            )
            verdicts.append({"status": status, "passed": int(sum(details)), "tests": len(inputs)})
        print(json.dumps({"task": task["task_id"], "verdicts": verdicts}), flush=True)


if __name__ == "__main__":
    main()
