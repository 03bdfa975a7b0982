"""Writes the goldens: tiny models, their adapters, and the results of torch, transformers and peft.

    python make.py FOLDER

Each model has a folder with `model/` and `adapter/` as transformers and peft save them, `cases.json` (inputs in the
JSON form of requests, with the expected numbers) and `expected.safetensors` (gradients, and weights after training).
"""

import json
import shutil
import sys
import warnings
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

import adapters
import cases
import losses
import models
import oracle

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

STEPS = 50
ADAM = {
    "plain": {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.95, "eps": 1e-12, "weight_decay": 0.0, "grad_clip_norm": 0.0},
    # The gradient norm starts above the limit and ends below it.
    "clipped": {"learning_rate": 5e-4, "beta1": 0.9, "beta2": 0.98, "eps": 1e-8, "weight_decay": 0.5, "grad_clip_norm": 150.0},
}


def main(root):
    root.mkdir(parents=True, exist_ok=True)
    for number, recipe in enumerate(models.RECIPES):
        folder = root / recipe.name
        shutil.rmtree(folder, ignore_errors=True)
        base = models.save(recipe, folder / "model", seed=100 + number)
        expected, asked = {}, {"adapter_shape": recipe.shape_of_adapter()}
        draw = cases.Draw(seed=200 + number)
        pairs = cases.sequences(draw)
        asked["base"] = plain(base, pairs)
        asked["decode"] = [decode(base, draw, False)]
        adapted = adapters.save(recipe, base, folder / "adapter", seed=300 + number)
        asked["adapter"] = plain(adapted, pairs)
        asked["decode"].append(decode(adapted, draw, True))
        with torch.no_grad():
            logprobs = [oracle.logprobs(adapted, tokens, to) for tokens, to in pairs]
        asked["losses"] = list(every_loss(recipe, adapted, draw, pairs, logprobs, expected))
        asked["training"] = []
        if recipe.every_loss:
            data = [
                (tokens, inputs | {"weights": inputs["weights"].abs()})
                for tokens, inputs in cases.supervised(draw, pairs + cases.sequences(draw))
            ]
            for name, adam in ADAM.items():
                asked["training"].append(train(name, adam, folder, data, expected))
        write(folder, asked, expected)
        print(f"{recipe.name}: {len(asked['losses'])} losses")


def plain(model, pairs):
    """Data without weights, and the log probabilities of their targets."""
    data = [(tokens, {"target_tokens": to}) for tokens, to in pairs]
    with torch.no_grad():
        logprobs = [oracle.logprobs(model, tokens, to) for tokens, to in pairs]
    return {"data": cases.wire(data), "logprobs": [cases.short(lp) for lp in logprobs]}


def every_loss(recipe, model, draw, pairs, logprobs, expected):
    def answer(name, data, loss):
        total, every, metrics, grads = oracle.gradients(model, data, loss)
        expected.update({f"{name}/{tensor}": grad for tensor, grad in grads.items()})
        return {
            "name": name, "data": cases.wire(data), "loss": total, "metrics": metrics,
            "logprobs": [cases.short(lp.flatten()) for lp in every],
        }

    for name, loss, config, data in cases.built_in(draw, pairs, logprobs, recipe.every_loss):
        asked = answer(name, data, lambda lp, x, loss=loss, config=config: loss(lp, x, config))
        yield asked | {"loss_fn": loss.__name__, "config": config}
    if not recipe.every_loss:
        return
    for loss, graph, data in cases.uploaded(draw, pairs, logprobs):
        def call(lp, x, loss=loss, graph=graph):
            return loss(lp, *(x[given["name"]] for given in graph["inputs"][1:]))

        yield answer(loss.__name__, data, call) | {"loss_fn": "custom", "config": {}, "upload": graph}


def train(name, adam, folder, data, expected):
    batches = [data[:2], data[2:]]

    def run(nudge):
        model = adapters.load(models.load(folder / "model"), folder / "adapter", trainable=True)
        weights = adapters.trained(model)
        with torch.no_grad():
            for weight in weights.values():
                weight.mul_(1 + nudge * torch.rand_like(weight))
        told = oracle.adamw(model, batches, lambda lp, x: losses.cross_entropy(lp, x, {}), STEPS, adam)
        return *told, {tensor: weight.detach().clone() for tensor, weight in weights.items()}

    history, norms, weights = run(0.0)
    # A run that amplifies rounding errors cannot be compared with another program.
    _, _, nudged = run(1e-7)
    apart = max(float((weights[tensor] - nudged[tensor]).abs().max()) for tensor in weights)
    assert apart < 5e-6, f"{folder.name}, {name}: rounding errors grow to {apart:.1e}; lower the learning rate"
    expected.update({f"{name}/{tensor}": weight for tensor, weight in weights.items()})
    return {
        "name": name, "adam_params": adam, "steps": STEPS, "batches": [cases.wire(batch) for batch in batches],
        "losses": history, "norms": norms,
    }


def decode(model, draw, adapter):
    """A prompt with a long greedy continuation whose tokens do not depend on rounding."""
    while True:
        prompt = draw.tokens(11)
        tokens, logprobs, before, nearest = oracle.greedy(model, prompt, 40)
        if len(tokens) > 24 and nearest > 1e-3:
            return {
                "adapter": adapter, "prompt": prompt.tolist(), "tokens": tokens,
                "logprobs": cases.short(logprobs), "prompt_logprobs": cases.short(before),
            }


def write(folder, asked, expected):
    (folder / "cases.json").write_text(one_line_each(asked) + "\n")
    tensors = {name: tensor.contiguous() for name, tensor in sorted(expected.items())}
    save_file(tensors, folder / "expected.safetensors")


def one_line_each(asked):
    """JSON with each case of a list on its own line."""
    def value(of):
        if isinstance(of, list):
            return "[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in of) + "\n]"
        return json.dumps(of, separators=(",", ":"))

    return "{\n" + ",\n".join(f'"{name}":{value(of)}' for name, of in asked.items()) + "\n}"


if __name__ == "__main__":
    torch.set_num_threads(1)  # a fixed order of sums; also faster for tensors this small
    main(Path(sys.argv[1]))
