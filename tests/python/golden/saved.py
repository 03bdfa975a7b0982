"""Loads adapters that the engine trained and saved with peft, and computes what the engine computed with them.

    python saved.py GOLDENS SAVED

SAVED holds for each model a PEFT folder with `logprobs.json` in it: the log probabilities of the data of `base` in the
model's `cases.json`. They must agree within 1e-5.
"""

import json
import sys
import warnings
from pathlib import Path

import torch
import transformers

import adapters
import models
import oracle

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

LIMIT = 1e-5


def main(goldens, saved):
    for recipe in models.RECIPES:
        folder = goldens / recipe.name
        data = json.loads((folder / "cases.json").read_text())["base"]["data"]
        told = json.loads((saved / recipe.name / "logprobs.json").read_text())
        adapted = adapters.load(models.load(folder / "model"), saved / recipe.name)
        apart = max(far(adapted, datum, torch.tensor(logprobs)) for datum, logprobs in zip(data, told, strict=True))
        print(f"{recipe.name}: an adapter of the engine, loaded by peft: {apart:.1e} apart")
        assert apart <= LIMIT, f"{LIMIT:.0e} is the most"


@torch.no_grad()
def far(adapted, datum, told):
    tokens = torch.tensor(datum["model_input"]["chunks"][0]["tokens"])
    targets = torch.tensor(datum["loss_fn_inputs"]["target_tokens"]["data"])
    return float((oracle.logprobs(adapted, tokens, targets) - told).abs().max())


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
