"""The workloads of `tests/benches/client`, with the official client.

Run by `cargo xtask bench client`, which gives the URL of the server, writes workloads to standard input and reads what each cost:

    sample IN_FLIGHT COUNT      samples with prompts of 32 tokens and answers of 16
    answer IN_FLIGHT COUNT      samples with answers of 16 sequences of 8,192 tokens, each value of which is read
    pass ROWS TOKENS COUNT      passes, one after another
    step ROWS TOKENS COUNT      passes with an optimizer step, each begun when the last has ended

The cost is a line: units, processor seconds, wall seconds, median and 99th percentile in ms, MiB of memory above that at the
start, and two zeros (Python does not count allocations). A first, small part of each workload is not measured.

Written for speed: tensors are numpy arrays, values are read through numpy, and samples are awaited through their futures, which
costs less than a coroutine for each.
"""

import os
import sys
import threading
import time

os.environ["TINKER_TELEMETRY"] = "0"

import numpy as np
import tinker
from tinker import types

PROMPT, SEQUENCES = 32, 16


def memory(field):
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(field):
                return int(line.split()[1]) / 1024
    raise RuntimeError("the system does not report memory")


class Meter:
    def __init__(self):
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
        self.resident = memory("VmRSS:")
        self.processor, self.wall = time.process_time(), time.perf_counter()

    def stop(self, latencies):
        wall, processor = time.perf_counter() - self.wall, time.process_time() - self.processor
        latencies.sort()
        part = lambda share: 1e3 * latencies[min(int(len(latencies) * share), len(latencies) - 1)]
        grown = max(memory("VmHWM:") - self.resident, 0.0)
        return f"{len(latencies)} {processor:.6f} {wall:.6f} {part(0.5):.4f} {part(0.99):.4f} {grown:.3f} 0 0"


def samples(client, sequences, in_flight, count):
    """Keeps `in_flight` samples in flight until `count` are drawn, and reads each of their values."""
    prompt = types.ModelInput.from_ints(list(range(PROMPT)))
    params = types.SamplingParams(max_tokens=16)
    room = threading.Semaphore(in_flight)
    latencies, failures = [], []

    def done(start, future):
        try:
            total = 0.0
            for sequence in future.result().sequences:
                total += float(sequence.logprobs_np.sum()) + float(sequence.tokens_np.sum())
            latencies.append(time.perf_counter() - start)
        except Exception as error:
            failures.append(error)
        room.release()

    meter = Meter()
    for _ in range(count):
        room.acquire()
        if failures:
            raise failures[0]
        start = time.perf_counter()
        future = client.sample(prompt, sequences, params).future()
        future.add_done_callback(lambda future, start=start: done(start, future))
    for _ in range(in_flight):
        room.acquire()
    if failures:
        raise failures[0]
    return meter.stop(latencies)


def data(rows, tokens):
    of_row = lambda row: (np.arange(tokens + 1, dtype=np.int64) * 31 + row) % 50_000
    return [
        types.Datum(
            model_input=types.ModelInput.from_ints(ids[:-1].tolist()),
            loss_fn_inputs={
                "target_tokens": types.TensorData.from_numpy(ids[1:]),
                "weights": types.TensorData.from_numpy(np.ones(tokens, dtype=np.float32)),
            },
        )
        for ids in map(of_row, range(rows))
    ]


def repeat(count, one):
    one()
    meter, latencies = Meter(), []
    for _ in range(count):
        start = time.perf_counter()
        one()
        latencies.append(time.perf_counter() - start)
    return meter.stop(latencies)


def run(service, workload):
    verb, *numbers = workload.split()
    numbers = list(map(int, numbers))
    if verb in ("sample", "answer"):
        client = service.create_sampling_client(base_model="m").result()
        sequences = 1 if verb == "sample" else SEQUENCES
        in_flight, count = numbers
        samples(client, sequences, in_flight, in_flight)
        return samples(client, sequences, in_flight, count)
    rows, tokens, count = numbers
    client = service.create_lora_training_client(base_model="m", rank=8).result()
    batch = data(rows, tokens)
    if verb == "pass":
        return repeat(count, lambda: client.forward_backward(batch, "cross_entropy").result())
    if verb == "step":
        adam = types.AdamParams(learning_rate=1e-4)

        def step():
            client.forward_backward(batch, "cross_entropy").result()
            client.optim_step(adam).result()

        return repeat(count, step)
    raise ValueError(f"unknown workload {workload!r}")


def main():
    service = tinker.ServiceClient(base_url=sys.argv[1], api_key="tml-benchmark")
    print(f"tinker {tinker.__version__} on Python {sys.version.split()[0]}", flush=True)
    for line in sys.stdin:
        try:
            print(run(service, line), flush=True)
        except Exception as error:
            print("cannot:", " ".join(str(error).split()), flush=True)


if __name__ == "__main__":
    main()
    # The client's threads do not end by themselves in time.
    os._exit(0)
