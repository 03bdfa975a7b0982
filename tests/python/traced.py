"""Losses that the client traces with torch; skipped if torch is not installed.

    python traced.py URL

The loss is computed by the server if it supports uploaded losses, else by the client.
"""

import math
import os
import sys
import time

from data import MODEL, PAIRS, supervised
from table import finish, refused, row


def ratio(logprobs, logprobs_old, advantages):
    """The loss `importance_sampling`."""
    import torch

    gain = torch.exp(logprobs - logprobs_old) * advantages
    return -gain.sum(), {"custom/gain:sum": gain.sum(), "custom/ratio:mean": torch.exp(logprobs - logprobs_old).mean()}


def data(types, old):
    """The same data for the built-in and for the traced loss; `old` names the log probabilities of the sampler."""
    batch = []
    for pair in PAIRS:
        plain = supervised(*pair)
        count = plain.model_input.length
        inputs = {
            "target_tokens": plain.loss_fn_inputs["target_tokens"],
            old: types.TensorData(data=[-2.0 + 0.1 * n for n in range(count)], dtype="float32", shape=[count]),
            "advantages": [0.0] * (count - 3) + [1.0, -0.5, 0.75],
        }
        batch.append(types.Datum(model_input=plain.model_input, loss_fn_inputs=inputs))
    return batch


def step(training, types, one_pass):
    """Metrics of one pass, and the log probabilities after an optimizer step."""
    output = one_pass(training).result()
    training.optim_step(types.AdamParams(learning_rate=1e-2)).result()
    after = training.forward([supervised(*pair) for pair in PAIRS], "cross_entropy").result()
    return output.metrics, [lp for found in after.loss_fn_outputs for lp in found["logprobs"].data]


def rows(service):
    from tinker import types

    try:
        import torch  # noqa: F401
    except ImportError:
        row("create_custom_loss of the client", None, "no torch; see CONTRIBUTING.md for a run with it")
        return

    def model():
        return service.create_lora_training_client(base_model=MODEL, rank=4, seed=3).result()

    def half(data, logprobs):
        total = sum((lp * 0.5).sum() for lp in logprobs)
        return total, {"custom/x:sum": float(total)}

    training = model()
    start = time.monotonic()
    output = training.forward_backward_custom([supervised(*PAIRS[0])], half).result()
    row("forward_backward_custom with a callable", "surrogate_loss:sum" in output.metrics, f"{time.monotonic() - start:.1f} s")

    ranks = {"logprobs": 1, "logprobs_old": 1, "advantages": 1}
    handle = service.create_custom_loss(ratio, ranks).result()
    who = "the client" if handle.loss_id is None else "the server"
    row("create_custom_loss of the client", handle.name == "ratio", f"computed by {who}")
    built_in = step(model(), types, lambda training: training.forward_backward(
        data(types, "logprobs"), "importance_sampling"))
    own = step(model(), types, lambda training: training.forward_backward_custom(data(types, "logprobs_old"), handle))
    apart = abs(own[0]["loss:sum"] - built_in[0]["loss:sum"])
    row("a traced loss equals the built-in one", apart < 1e-4, f"{own[0]['loss:sum']:.5f} by {who}, difference {apart:.1e}")
    metrics = own[0]["custom/gain:sum"] + own[0]["loss:sum"]
    row("metrics of a traced loss", abs(metrics) < 1e-4 and math.isfinite(own[0]["custom/ratio:mean"]))
    apart = max(abs(a - b) for a, b in zip(own[1], built_in[1]))
    row("gradients of a traced loss", apart < 1e-4, f"log probabilities after a step differ by {apart:.1e}")
    refused("uploading the same graph twice", lambda: service.create_custom_loss(ratio, ranks).result(), "already created")


def main():
    os.environ["TINKER_BASE_URL"] = sys.argv[1]
    os.environ.setdefault("TINKER_API_KEY", "tml-local")
    os.environ["TINKER_TELEMETRY"] = "0"
    import tinker

    service = tinker.ServiceClient()
    rows(service)
    service.close("success").result()
    finish()


if __name__ == "__main__":
    main()
