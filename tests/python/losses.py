"""Losses of whole sequences, clipping by token, and uploaded losses."""

import json
import math
import os
import urllib.error
import urllib.request

from tinker import types

from data import tokens
from table import row


def reinforced(training, **more):
    prompt, sampled = tokens("snow ->"), tokens(" grey")
    both = prompt + sampled
    padding = [0.0] * (len(prompt) - 1)
    inputs = {
        "target_tokens": both[1:],
        "logprobs": padding + [-2.0] * len(sampled),
        "advantages": padding + [1.0] * len(sampled),
    }
    for name, value in more.items():
        inputs[name] = padding + [value] * len(sampled)
    return types.Datum(model_input=types.ModelInput.from_ints(both[:-1]), loss_fn_inputs=inputs)


def sequence_ratio(training):
    datum = reinforced(training, sequence_ratio_mask=1.0)
    config = {"clip_low_threshold": 0.0, "clip_high_threshold": 1e9}
    output = training.forward([datum], "gspo", config).result()
    at = len(tokens("snow ->")) - 1
    gaps = [logprob + 2.0 for logprob in output.loss_fn_outputs[0]["logprobs"].data[at:]]
    want = -len(gaps) * math.exp(sum(gaps) / len(gaps))
    loss = output.metrics["loss:sum"]
    row("forward: gspo matches its published definition", abs(loss - want) < 1e-4 * (1 + abs(want)), f"{loss:.4f}")
    output = training.forward_backward([datum], "gspo").result()
    row("forward_backward: gspo", math.isfinite(output.metrics["loss:sum"]), f"{output.metrics['loss:sum']:.3f}")
    own = reinforced(training, clip_low_threshold=0.9, clip_high_threshold=1.1)
    output = training.forward_backward([own], "ppo").result()
    row("forward_backward: ppo, clipped token by token", math.isfinite(output.metrics["loss:sum"]))


def post(path, body, key="tml-local"):
    request = urllib.request.Request(
        f"{os.environ['TINKER_BASE_URL']}/api/v1/{path}",
        data=json.dumps(body).encode(),
        headers={"content-type": "application/json", "x-api-key": key},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def credential():
    """A token if the server exchanges keys for tokens, else the key."""
    try:
        return post("auth/token", {})["jwt"]
    except urllib.error.HTTPError:
        return "tml-local"


def uploaded(training):
    """Posts the graph that the client would trace with torch, so that torch is not needed; see traced.py."""

    def node(op, name, target, *args):
        return {"op": op, "name": name, "target": target, "args": list(args), "kwargs": {}}

    def of(name):
        return {"ref": name}

    inputs = ["logprobs", "advantages", "logprobs_old"]
    nodes = [node("placeholder", name, name) for name in inputs] + [
        node("call_function", "sub", "operator.sub", of("logprobs"), of("logprobs_old")),
        node("call_function", "exp", "torch.exp", of("sub")),
        node("call_function", "mul", "operator.mul", of("exp"), of("advantages")),
        node("call_method", "sum_1", "sum", of("mul")),
        node("call_function", "neg", "operator.neg", of("sum_1")),
        node("output", "output", "output", {"tuple": [of("neg"), {"dict": {"custom/gain:sum": of("sum_1")}}]}),
    ]
    key = credential()
    promise = post("create_custom_loss", {
        "session_id": training.model_id.split(":")[0],
        "custom_loss_seq_id": 0,
        "name": "mine",
        "inputs": [{"name": name, "rank": 1} for name in inputs],
        "graph": {"format": 1, "nodes": nodes},
        "type": "create_custom_loss",
    }, key)
    loss_id = post("retrieve_future", promise, key)["loss_id"]
    direct = reinforced(training)
    old = dict(direct.loss_fn_inputs)
    old["logprobs_old"] = old["logprobs"]
    custom = types.Datum(model_input=direct.model_input, loss_fn_inputs=old)
    mine = training.forward_backward([custom], "custom", {"loss_id": loss_id}).result().metrics
    theirs = training.forward([direct], "importance_sampling").result().metrics["loss:sum"]
    apart = abs(mine["loss:sum"] - theirs)
    row("forward_backward: an uploaded loss", apart < 1e-5 * (1 + abs(theirs)), f"{mine['loss:sum']:.4f}")
    row("metrics of an uploaded loss", abs(mine["custom/gain:sum"] + mine["loss:sum"]) < 1e-9)
    training.optim_step(types.AdamParams(learning_rate=0.0)).result()
