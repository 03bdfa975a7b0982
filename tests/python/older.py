"""Runs a training loop with an older official client (tinker 0.24.1, which sends JSON) against a server.

    python older.py URL

Prints a table. The exit status is 1 if a row failed.
"""

import datetime
import io
import json
import math
import os
import sys
import tarfile
import tempfile
import urllib.request
import warnings

warnings.filterwarnings("ignore")
os.environ["TINKER_BASE_URL"] = sys.argv[1]
os.environ.setdefault("TINKER_API_KEY", "tml-local")
os.environ["TINKER_TELEMETRY"] = "0"

import tinker  # noqa: E402
from tinker import types  # noqa: E402

import command  # noqa: E402
from data import END, MODEL, PAIRS, supervised, tokens  # noqa: E402
from table import finish, refused, row  # noqa: E402


def archives(rest, path, run_id):
    archive = rest.get_checkpoint_archive_url_from_tinker_path(path).result()
    left = archive.expires - datetime.datetime.now(datetime.timezone.utc)
    short_lived = datetime.timedelta(minutes=10) < left < datetime.timedelta(hours=1)
    row("get_checkpoint_archive_url_from_tinker_path", short_lived, f"expires in {left.total_seconds():.0f} s")
    files = {"adapter_config.json", "adapter_model.safetensors", "checkpoint_complete"}
    with urllib.request.urlopen(archive.url) as answer:
        whole = answer.read()
    with tarfile.open(fileobj=io.BytesIO(whole)) as unpacked:
        names = set(unpacked.getnames())
    row("archive of a training checkpoint", names == files | {"optimizer.safetensors"}, f"{len(whole)} bytes")
    archive = rest.get_checkpoint_archive_url(run_id, "sampler_weights/sampler").result()
    with urllib.request.urlopen(archive.url) as answer, tarfile.open(fileobj=answer, mode="r|") as unpacked:
        row("archive of sampler weights", set(unpacked.getnames()) == files)
    missing = f"tinker://{run_id}/weights/none"
    refused(
        "archive of a missing checkpoint",
        lambda: rest.get_checkpoint_archive_url_from_tinker_path(missing).result(),
        "none",
    )
    with tempfile.TemporaryDirectory() as folder:
        done = command.run("-f", "json", "checkpoint", "download", path, "-o", folder)
        if done.returncode == 0:
            given = json.loads(done.stdout[done.stdout.index("{"):])
            passed = names == set(os.listdir(given["destination"])) and given["file_size_bytes"] == len(whole)
        else:
            passed = False
        row("tinker checkpoint download", passed, "" if passed else command.end_of(done))


def main():
    service = tinker.ServiceClient()
    names = [model.model_name for model in service.get_server_capabilities().supported_models]
    row("get_server_capabilities", MODEL in names)
    training = service.create_lora_training_client(base_model=MODEL, rank=16, seed=1)
    row("get_info", training.get_info().model_data.model_name == MODEL, tinker._version.__version__)

    data = [supervised(*pair) for pair in PAIRS]
    losses = []
    for _ in range(40):
        gradients = training.forward_backward(data, "cross_entropy")
        step = training.optim_step(types.AdamParams(learning_rate=3e-3))
        losses.append(gradients.result().metrics["loss:sum"])
        step.result()
    row("forward_backward, optim_step", losses[-1] < 0.1 * losses[0], f"loss {losses[0]:.2f} -> {losses[-1]:.3f}")
    forward = training.forward(data, "cross_entropy").result()
    lengths = [len(output["logprobs"].data) for output in forward.loss_fn_outputs]
    row("forward", lengths == [datum.model_input.length for datum in data])

    sampler = training.save_weights_and_get_sampling_client()
    greedy = types.SamplingParams(max_tokens=16, temperature=0.0)
    answers = [
        sampler.sample(types.ModelInput.from_ints(tokens(prompt)), 1, greedy).result().sequences[0]
        for prompt, _ in PAIRS
    ]
    texts = [bytes(t for t in answer.tokens if t < 256).decode() for answer in answers]
    row("sample: reproduces the training data", texts == [completion for _, completion in PAIRS], repr(texts))
    prompt = types.ModelInput.from_ints(tokens("sky -> blue") + [END])
    logprobs = sampler.compute_logprobs(prompt).result()
    apart = max(abs(a - b) for a, b in zip(logprobs[1:], forward.loss_fn_outputs[0]["logprobs"].data))
    row("compute_logprobs agrees with forward", apart < 1e-4, f"difference {apart:.1e}")

    named = training.save_weights_for_sampler("sampler").result()
    reader = service.create_sampling_client(model_path=named.path)
    answer = reader.sample(types.ModelInput.from_ints(tokens("coal ->")), 1, greedy).result().sequences[0]
    row("create_sampling_client from a checkpoint", bytes(answer.tokens[:-1]).decode() == " black", named.path)

    saved = training.save_state("older").result()
    resumed = service.create_training_client_from_state_with_optimizer(saved.path)
    mine = training.forward(data, "cross_entropy").result().metrics["loss:sum"]
    theirs = resumed.forward(data, "cross_entropy").result().metrics["loss:sum"]
    row("create_training_client_from_state", mine == theirs, f"loss {mine:.6f} and {theirs:.6f}")
    training.load_state(saved.path).result()
    again = training.forward_backward(data, "cross_entropy").result().metrics["loss:sum"]
    row("load_state", math.isclose(again, mine), f"loss {again:.6f}")

    rest = service.create_rest_client()
    runs = rest.list_training_runs().result().training_runs
    row("list_training_runs", training.model_id in {run.training_run_id for run in runs})
    names = {c.checkpoint_id for c in rest.list_checkpoints(training.model_id).result().checkpoints}
    row("list_checkpoints", {"weights/older", "sampler_weights/sampler"} <= names, str(sorted(names)))
    archives(rest, saved.path, training.model_id)
    rest.set_checkpoint_ttl_from_tinker_path(saved.path, 3600).result()
    rest.publish_checkpoint_from_tinker_path(saved.path).result()
    rest.delete_checkpoint_from_tinker_path(saved.path).result()
    names = {c.checkpoint_id for c in rest.list_checkpoints(training.model_id).result().checkpoints}
    row("publish, ttl, delete", "weights/older" not in names)
    session = training.model_id.split(":")[0]
    row("get_session", training.model_id in rest.get_session(session).result().training_run_ids)
    refused("an unknown loss", lambda: training.forward_backward(data, "no_such_loss").result(), "no_such_loss")
    finish()


main()
