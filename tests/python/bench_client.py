"""The workloads of `tests/benches/client`, with the official client.

Run by `cargo xtask bench client`, which gives the URLs of the server (without TLS, with TLS, with a count of bytes) and the file of
its certificate, writes workloads to standard input (over TLS with `tls` before them) and reads what each cost:

    sample IN_FLIGHT COUNT                      samples with prompts of 32 tokens and answers of 16
    beside IN_FLIGHT COUNT                      such samples while batches of 256 × 4,096 tokens are sent one after another
    answer IN_FLIGHT COUNT                      samples with answers of 16 sequences of 8,192 tokens, each value of which is read
    view IN_FLIGHT COUNT                        the same
    decode COUNT                                decodes such an answer and reads each value through lists
    decode-view COUNT                           the same through numpy
    pass ROWS TOKENS COUNT                      passes, one after another
    zstd ROWS TOKENS COUNT                      compressed passes
    lanes CONNECTIONS ROWS TOKENS COUNT         passes; the number of connections is that of the client
    step ROWS TOKENS COUNT                      passes with an optimizer step, each begun when the last has ended
    working MICROSECONDS ROWS TOKENS COUNT      such steps, and the server works on each request of a pass
    idle SECONDS                                a client that is not used; its unit is ten minutes

The cost is a line: units, processor seconds, wall seconds, median and 99th percentile in ms, MiB of memory above that before the
first unit, two zeros (Python does not count allocations), and bytes on the wire, which only `idle` counts. A first, small part
of each workload is not measured.

Written for speed: tensors are numpy arrays, values are read through numpy, and samples are awaited through their futures, which
costs less than a coroutine for each.
"""

import ctypes
import gc
import os
import subprocess
import sys
import threading
import time
import urllib.request

os.environ["TINKER_TELEMETRY"] = "0"
os.environ["SSL_CERT_FILE"] = sys.argv[4]

import numpy as np
import tinker
from tinker import types
from tinker.proto.response_conv import deserialize_sample_response

PROMPT, SEQUENCES = 32, 16
VOCABULARY = 50_000.0
# Rows and tokens of the batch that is sent beside samples.
UPLOAD = 256, 4096
# The variable of a process that runs one workload.
ALONE = "TINKER_BENCH_ALONE"


def memory(field):
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(field):
                return int(line.split()[1]) / 1024
    raise RuntimeError("the system does not report memory")


class Meter:
    """Measures from `start` on; only the peak of memory counts from the beginning."""

    def __init__(self):
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
        self.resident = memory("VmRSS:")

    def start(self):
        self.processor, self.wall = time.process_time(), time.perf_counter()

    def stop(self, latencies, units=None, traffic=0):
        wall, processor = time.perf_counter() - self.wall, time.process_time() - self.processor
        latencies.sort()
        part = lambda share: 1e3 * latencies[min(int(len(latencies) * share), len(latencies) - 1)] if latencies else 0.0
        grown = max(memory("VmHWM:") - self.resident, 0.0)
        units = len(latencies) if units is None else units
        return f"{units} {processor:.6f} {wall:.6f} {part(0.5):.4f} {part(0.99):.4f} {grown:.3f} 0 0 {traffic}"


def samples(client, sequences, in_flight, count):
    meter = Meter()
    flights(client, sequences, in_flight, in_flight)
    meter.start()
    return meter.stop(flights(client, sequences, in_flight, count))


def flights(client, sequences, in_flight, count):
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
    return latencies


def data(rows, tokens):
    random = np.random.default_rng(7)
    # By the law of Zipf, as in text.
    of_row = lambda _: (VOCABULARY ** random.random(tokens + 1)).astype(np.int64)
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
    meter, latencies = Meter(), []
    one()
    meter.start()
    for _ in range(count):
        start = time.perf_counter()
        one()
        latencies.append(time.perf_counter() - start)
    return meter.stop(latencies)


def ask(url, path):
    with urllib.request.urlopen(url + path) as answer:
        return answer.read()


def decode(body, through_lists):
    """Decodes an answer and reads its values."""
    total = 0.0
    for sequence in deserialize_sample_response(body).sequences:
        if through_lists:
            total += sum(sequence.tokens) + sum(sequence.logprobs)
        else:
            total += float(sequence.logprobs_np.sum()) + float(sequence.tokens_np.sum())


def idle(service, url, seconds):
    client = service.create_sampling_client(base_model="m").result()
    flights(client, 1, 1, 1)
    first = int(ask(url, "/traffic"))
    before = int(ask(url, "/traffic"))
    meter = Meter()
    meter.start()
    time.sleep(seconds)
    cost = lambda traffic: meter.stop([], seconds / 600, traffic)
    # Asking is not the client's traffic.
    return cost(int(ask(url, "/traffic")) - before - (before - first))


def alone(workload):
    """Runs a workload in a process of its own, in which no other client is at work."""
    process = subprocess.run(
        [sys.executable, *sys.argv], env=os.environ | {ALONE: "1"}, input=workload, capture_output=True, text=True, check=True
    )
    return process.stdout.splitlines()[-1]


def run(connect, url, workload):
    verb, *numbers = workload.split()
    numbers = list(map(int, numbers))
    if verb in ("decode", "decode-view"):
        body = ask(url, "/large")
        return repeat(*numbers, lambda: decode(body, through_lists=verb == "decode"))
    if verb == "idle":
        return alone(workload)
    if verb == "zstd":
        service = connect(url + "/zstd")
    elif verb == "working":
        service = connect(f"{url}/working-{numbers.pop(0)}")
    else:
        service = connect(url)
    if verb in ("sample", "answer", "view"):
        client = service.create_sampling_client(base_model="m").result()
        return samples(client, 1 if verb == "sample" else SEQUENCES, *numbers)
    if verb == "beside":
        return beside(service, *numbers)
    if verb == "lanes":
        numbers.pop(0)
    rows, tokens, count = numbers
    client = service.create_lora_training_client(base_model="m", rank=8).result()
    batch = data(rows, tokens)
    if verb in ("pass", "zstd", "lanes"):
        return repeat(count, lambda: client.forward_backward(batch, "cross_entropy").result())
    if verb in ("step", "working"):
        adam = types.AdamParams(learning_rate=1e-4)

        def step():
            client.forward_backward(batch, "cross_entropy").result()
            client.optim_step(adam).result()

        return repeat(count, step)
    raise ValueError(f"unknown workload {workload!r}")


def beside(service, in_flight, count):
    trainer = service.create_lora_training_client(base_model="m", rank=8).result()
    batch, ended = data(*UPLOAD), threading.Event()

    def upload():
        while not ended.is_set():
            trainer.forward_backward(batch, "cross_entropy").result()

    client = service.create_sampling_client(base_model="m").result()
    thread = threading.Thread(target=upload)
    thread.start()
    try:
        return samples(client, 1, in_flight, count)
    finally:
        ended.set()
        thread.join()


def main():
    plain, secure, counted, _ = sys.argv[1:]
    services = {}

    def connect(url):
        if url not in services:
            services[url] = tinker.ServiceClient(base_url=url, api_key="tml-benchmark")
        return services[url]

    print(f"tinker {tinker.__version__} on Python {sys.version.split()[0]}", flush=True)
    for line in sys.stdin:
        try:
            if ALONE in os.environ:
                print(idle(connect(counted), counted, int(line.split()[1])), flush=True)
                continue
            is_secure = line.startswith("tls ")
            url, workload = (secure, line.removeprefix("tls ")) if is_secure else (plain, line)
            print(run(connect, url, workload), flush=True)
        except Exception as error:
            print("cannot:", " ".join(str(error).split()), flush=True)


if __name__ == "__main__":
    main()
    # The client's threads do not end by themselves in time.
    os._exit(0)
