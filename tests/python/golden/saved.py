"""Trains and saves an adapter with a running engine, and computes the same with peft.

    python saved.py URL DATA_FOLDER MODEL_FOLDER

The engine serves the model of MODEL_FOLDER at URL and keeps its checkpoints in DATA_FOLDER. Log probabilities under the
saved adapter must agree within 1e-5.
"""

import json
import sys
import urllib.request
import warnings
from pathlib import Path

import torch
import transformers

import adapters
import cases
import models
import oracle

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

LIMIT = 1e-5
ADAM = {"learning_rate": 0.01, "beta1": 0.9, "beta2": 0.95, "eps": 1e-12, "weight_decay": 0.0, "grad_clip_norm": 0.0}


class Engine:
    def __init__(self, url):
        self.url = url

    def post(self, path, body):
        request = urllib.request.Request(
            f"{self.url}/api/v1/{path}", json.dumps(body).encode(),
            {"content-type": "application/json", "x-api-key": "tml-local"},
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def get(self, path):
        request = urllib.request.Request(f"{self.url}/api/v1/{path}", headers={"x-api-key": "tml-local"})
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def done(self, path, body):
        """Sends an operation and waits for its result."""
        promise = self.post(path, body)["request_id"]
        while True:
            result = self.post("retrieve_future", {"request_id": promise})
            if result.get("type") != "try_again":
                assert "error" not in result, result
                return result


def main(url, data_folder, model_folder):
    engine = Engine(url)
    base_model = engine.get("get_server_capabilities")["supported_models"][0]["model_name"]
    session = engine.post("create_session", {"sdk_version": "0", "tags": [], "user_metadata": {}, "type": "create_session"})
    model = engine.done("create_model", {
        "session_id": session["session_id"], "model_seq_id": 0, "base_model": base_model, "type": "create_model",
        "lora_config": {"rank": 4, "seed": 1, "train_unembed": True, "train_mlp": True, "train_attn": True},
        "optimizer_config": {"type": "adamw"},
    })["model_id"]
    pairs = cases.sequences(cases.Draw(7))
    ones = [(tokens, {"target_tokens": to, "weights": torch.ones(len(to))}) for tokens, to in pairs]
    number = 0

    def ask(path, **more):
        nonlocal number
        number += 1
        return engine.done(path, {"model_id": model, "seq_id": number, "type": path, **more})

    input = {"data": cases.wire(ones), "loss_fn": "cross_entropy"}
    for _ in range(5):
        ask("forward_backward", forward_backward_input=input)
        ask("optim_step", adam_params=ADAM)
    ask("save_weights", path="saved", overwrite=False)
    output = ask("forward", forward_input=input)
    run = model.replace(":", "_")
    adapted = adapters.load(models.load(model_folder), data_folder / "checkpoints" / run / "weights" / "saved")
    apart = 0.0
    for (tokens, to), of_datum in zip(pairs, output["loss_fn_outputs"]):
        with torch.no_grad():
            want = oracle.logprobs(adapted, tokens, to)
        got = torch.tensor(of_datum["logprobs"]["data"])
        apart = max(apart, float((want - got).abs().max()))
    moved = max(float(weight.abs().max()) for name, weight in adapted.named_parameters() if "lora_B" in name)
    assert moved > 0.01, "the adapter was not trained"
    print(f"{model_folder.parent.name}: an adapter of the engine under peft: {apart:.1e} apart")
    assert apart <= LIMIT, f"log probabilities are {apart:.1e} apart, {LIMIT:.0e} is the most"


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
