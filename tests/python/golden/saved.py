"""Loads adapters that the engine trained into peft, and compares log probabilities.

    python saved.py GOLDENS SAVED

SAVED contains a PEFT folder for each model, with `logprobs.json`: the log probabilities that the engine computed for
the data of `base` in the `cases.json` of the model. They must agree within 1e-5.
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
        print(f"{recipe.name}: adapter of the engine, loaded by peft: difference {apart:.1e}")
        assert apart <= LIMIT, f"the limit is {LIMIT:.0e}"


@torch.no_grad()
def far(adapted, datum, told):
    tokens = torch.tensor(datum["model_input"]["chunks"][0]["tokens"])
    targets = torch.tensor(datum["loss_fn_inputs"]["target_tokens"]["data"])
    return float((oracle.logprobs(adapted, tokens, targets) - told).abs().max())


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
