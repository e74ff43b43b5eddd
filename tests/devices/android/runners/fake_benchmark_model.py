"""Stands in for ``benchmark_model``: its flags, its output's grammar, LiteRT's numbers.

It is a program: the tests put it in the place of the tool. It is as strict as the tool: an
unknown flag, or an input file of another size, ends it.
"""

import sys
import time

import numpy as np
from ai_edge_litert.interpreter import Interpreter

KNOWN = {
    *("graph", "num_threads", "num_runs", "min_secs", "max_secs", "warmup_runs"),
    *("warmup_min_secs", "output_filepath", "input_layer", "input_layer_shape"),
    *("input_layer_value_files", "signature_to_run_for", "use_gpu", "use_nnapi"),
    "enable_op_profiling",
}


def main(arguments: list[str]) -> int:
    """Run like the tool with *arguments*."""
    given = dict(word.removeprefix("--").split("=", 1) for word in arguments)
    if unknown := set(given) - KNOWN:
        print(f"ERROR: Unconsumed cmdline flags: {' '.join(unknown)}", file=sys.stderr)
        return 1
    start = time.monotonic()
    interpreter = Interpreter(given["graph"], num_threads=int(given["num_threads"]))
    interpreter.allocate_tensors()
    init_us = (time.monotonic() - start) * 1e6
    details = interpreter.get_input_details()
    files = [item.split(":")[1] for item in given["input_layer_value_files"].split(",")]
    for detail, name in zip(details, files, strict=True):
        data = np.fromfile(name, detail["dtype"])
        if data.size != np.prod(detail["shape"]):
            print(f"FATAL: The size of {name} is {data.nbytes} bytes.", file=sys.stderr)
            return 134
        interpreter.set_tensor(detail["index"], data.reshape(detail["shape"]))
    times = []
    if "use_gpu" in given:  # of NNAPI it has nothing, and says nothing: it goes on without
        print(
            "INFO: Explicitly applied GPU delegate, and the model graph will be partially executed "
            "by the delegate w/ 2 delegate kernels."
        )
    warmup = int(given["warmup_runs"])
    for _ in range(warmup + int(given["num_runs"])):
        start = time.monotonic()
        interpreter.invoke()
        times.append(max(1, round((time.monotonic() - start) * 1e6)))
    with open(given["output_filepath"], "wb") as file:
        for detail in interpreter.get_output_details():
            file.write(interpreter.get_tensor(detail["index"]).tobytes())
    _report(init_us, times[0], times[warmup:])
    if "enable_op_profiling" in given:
        _profile(len(details))
    return 0


def _profile(count: int) -> None:
    head = "[node type] [first] [avg ms] [%] [cdf%] [mem KB] [times called] [Name]"
    print("INFO: Operator-wise Profiling Info for Regular Benchmark Runs:")
    print(f"============================== Run Order ==============================\n\t{head}")
    for number in range(count):
        print(f"\tFULLY_CONNECTED\t0.5\t0.25\t50.0%\t50.0%\t0.0\t1\t[out]:{number}")
    print()


def _report(init_us: float, warm: int, runs: list[int]) -> None:
    average = f"{sum(runs) / len(runs):.6g}"
    print("INFO: STARTING!")
    print(f"INFO: count=1 curr={warm}\n")
    if len(runs) == 1:
        print(f"INFO: count=1 curr={runs[0]}\n")
    else:
        print(
            f"INFO: count={len(runs)} first={runs[0]} curr={runs[-1]} min={min(runs)} "
            f"max={max(runs)} avg={average} std=1\n"
        )
    print(
        f"INFO: Inference timings in us: Init: {init_us:.6g}, First inference: {warm}, "
        f"Warmup (avg): {warm}, Inference (avg): {average}"
    )
    print("INFO: Memory footprint delta from the start of the tool (MB): init=2.5 overall=3.25")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
