"""Runs the official Python client (tinker 0.38.0) and its command line against a server.

    cargo xtask conformance            installs the clients, starts `tinker serve`, runs this script and older.py
    python conformance.py URL          uses a running server

Prints a table. The exit status is 1 if a row failed.
"""

import asyncio
import math
import os
import sys
import warnings

warnings.filterwarnings("ignore")
os.environ["TINKER_BASE_URL"] = sys.argv[1]
os.environ.setdefault("TINKER_API_KEY", "tml-local")
os.environ["TINKER_TELEMETRY"] = "0"

import tinker  # noqa: E402
from tinker import types  # noqa: E402

import command  # noqa: E402
import losses  # noqa: E402
import rest  # noqa: E402
import sampling  # noqa: E402
import traced  # noqa: E402
from data import END, MODEL, PAIRS, supervised, tokens  # noqa: E402
from table import finish, refused, row  # noqa: E402


def loop(service):
    capabilities = service.get_server_capabilities()
    names = [model.model_name for model in capabilities.supported_models]
    row("get_server_capabilities", MODEL in names, ", ".join(names))

    training = service.create_lora_training_client(base_model=MODEL, rank=16, seed=1).result()
    info = training.get_info()
    row("create_lora_training_client", info.model_data.model_name == MODEL, str(training.model_id))

    data = [supervised(*pair) for pair in PAIRS]
    losses, norms = [], []
    for _ in range(40):
        gradients = training.forward_backward(data, "cross_entropy")
        step = training.optim_step(types.AdamParams(learning_rate=3e-3))
        losses.append(gradients.result().metrics["loss:sum"])
        norms.append((step.result().metrics or {}).get("grad_norm:mean"))
    row("forward_backward, optim_step", losses[-1] < 0.1 * losses[0], f"loss {losses[0]:.2f} -> {losses[-1]:.3f}")
    row("optim_step metrics", all(norm is not None and math.isfinite(norm) for norm in norms), f"norm {norms[0]:.2f}")

    forward = training.forward(data, "cross_entropy").result()
    lengths = [len(output["logprobs"].data) for output in forward.loss_fn_outputs]
    wanted = [datum.model_input.length for datum in data]
    row("forward: a logprob for each target", lengths == wanted, f"{lengths}")

    sampler = training.save_weights_and_get_sampling_client().result()
    greedy = types.SamplingParams(max_tokens=16, temperature=0.0)
    answers = [
        sampler.sample(types.ModelInput.from_ints(tokens(prompt)), 1, greedy).result().sequences[0]
        for prompt, _ in PAIRS
    ]
    texts = [bytes(t for t in answer.tokens if t < 256).decode() for answer in answers]
    row("sample: reproduces the training data", texts == [completion for _, completion in PAIRS], repr(texts))
    row("sample: ends at the end token", all(a.stop_reason == "stop" and a.tokens[-1] == END for a in answers))

    prompt = types.ModelInput.from_ints(tokens("sky -> blue") + [END])
    logprobs = sampler.compute_logprobs(prompt).result()
    trained = forward.loss_fn_outputs[0]["logprobs"].data
    apart = max(abs(a - b) for a, b in zip(logprobs[1:], trained))
    row("compute_logprobs agrees with forward", logprobs[0] is None and apart < 1e-4, f"difference {apart:.1e}")

    several = types.SamplingParams(max_tokens=8, temperature=1.0, seed=7)
    once = sampler.sample(types.ModelInput.from_ints(tokens("snow ->")), 3, several, topk_sample_logprobs=2).result()
    again = sampler.sample(types.ModelInput.from_ints(tokens("snow ->")), 3, several).result()
    same = [s.tokens for s in once.sequences] == [s.tokens for s in again.sequences]
    row("sample: a seed gives the same tokens", same and len(once.sequences) == 3)
    topk = once.sequences[0].topk_logprobs
    row("sample: most likely tokens", topk is not None and all(len(cell) == 2 for cell in topk))

    policy = once.sequences[0]
    prompt_tokens = tokens("snow ->")
    both = prompt_tokens + list(policy.tokens)
    padding = [0.0] * (len(prompt_tokens) - 1)
    reinforced = types.Datum(
        model_input=types.ModelInput.from_ints(both[:-1]),
        loss_fn_inputs={
            "target_tokens": both[1:],
            "logprobs": padding + list(policy.logprobs),
            "advantages": padding + [1.0] * len(policy.tokens),
        },
    )
    for loss in ["importance_sampling", "ppo", "cispo", "dro"]:
        output = training.forward_backward([reinforced], loss).result()
        row(f"forward_backward: {loss}", math.isfinite(output.metrics["loss:sum"]), f"{output.metrics['loss:sum']:.3f}")
    training.optim_step(types.AdamParams(learning_rate=0.0)).result()

    saved = training.save_state("conformance").result()
    row("save_state", saved.path == f"tinker://{training.model_id}/weights/conformance", saved.path)
    named = training.save_weights_for_sampler("conformance").result()
    row("save_weights_for_sampler", "/sampler_weights/" in named.path, named.path)

    reader = service.create_sampling_client(model_path=named.path).result()
    answer = reader.sample(types.ModelInput.from_ints(tokens("coal ->")), 1, greedy).result().sequences[0]
    row("create_sampling_client from a checkpoint", bytes(answer.tokens[:-1]).decode() == " black")

    resumed = service.create_training_client_from_state_with_optimizer(saved.path).result()
    mine = training.forward(data, "cross_entropy").result().metrics["loss:sum"]
    theirs = resumed.forward(data, "cross_entropy").result().metrics["loss:sum"]
    row("create_training_client_from_state", mine == theirs, f"loss {mine:.6f} and {theirs:.6f}")
    return training, data


def refusals(service, training, data):
    refused(
        "an unknown base model",
        lambda: service.create_lora_training_client(base_model="no/such-model").result(),
        "no/such-model",
        MODEL,
    )
    refused("an unknown loss", lambda: training.forward_backward(data, "no_such_loss").result(), "no_such_loss")
    bad = types.Datum(
        model_input=types.ModelInput.from_ints([1, 2, 3]),
        loss_fn_inputs={"target_tokens": [2, 3], "weights": [1.0, 1.0]},
    )
    refused("targets of the wrong length", lambda: training.forward_backward([bad], "cross_entropy").result(), "target")
    nan = types.Datum(
        model_input=types.ModelInput.from_ints([1, 2]),
        loss_fn_inputs={"target_tokens": [2, 3], "weights": [1.0, float("nan")]},
    )
    refused("NaN weights", lambda: training.forward_backward([nan], "cross_entropy").result(), "weights")
    refused(
        "a missing checkpoint",
        lambda: service.create_sampling_client(model_path="tinker://x:train:0/sampler_weights/none").result(),
        "none",
    )
    after = training.forward_backward(data, "cross_entropy").result()
    row("a valid request after the refusals", math.isfinite(after.metrics["loss:sum"]))


async def asynchronous(service):
    training = await service.create_lora_training_client_async(base_model=MODEL, rank=4)
    data = [supervised(*pair) for pair in PAIRS]
    pending = []
    for _ in range(4):
        pending.append(await training.forward_backward_async(data, "cross_entropy"))
        pending.append(await training.optim_step_async(types.AdamParams(learning_rate=1e-3)))
    results = [await future for future in pending]
    row("asynchronous, four steps in flight", len(results) == 8)


def main():
    service = tinker.ServiceClient(user_metadata={"purpose": "conformance"})
    training, data = loop(service)
    refusals(service, training, data)
    asyncio.run(asynchronous(service))
    sampling.options(service)
    losses.sequence_ratio(training)
    losses.uploaded(training)
    traced.rows(service)
    rest.runs_and_checkpoints(service, training)
    rest.files(service, training)
    rest.sessions(service, training)
    rest.administration(training)
    command.line(training)
    service.close("success").result()
    row("close", True)
    finish()


main()
