"""Compares models that the engine merged with those that peft merges, and loads them in transformers.

    python merged.py GOLDENS SAVED

SAVED contains a PEFT folder for each model, with `logprobs.json` as `saved.py` reads it, and with the merged model
twice: `merged` in the precision of the base model, `merged-f32` in f32.
"""

import json
import sys
import warnings
from pathlib import Path

import torch
import transformers
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

import models
from saved import LIMIT, far

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

# A weight is a sum of rank + 1 numbers: both sides round it several times in f32, and once more when saving.
SUMS = 8 * torch.finfo(torch.float32).eps


def main(goldens, saved):
    for recipe in models.RECIPES:
        place = saved / recipe.name
        weights = by_peft(goldens / recipe.name / "model", place)
        for folder in (place / "merged", place / "merged-f32"):
            of_weights = off(weights, load_file(folder / "model.safetensors"), folder)
            print(f"{recipe.name}: {folder.name}: weights differ from peft by {of_weights:.2f} of the rounding error")
            assert of_weights <= 1, "the limit is 1"
        data = json.loads((goldens / recipe.name / "cases.json").read_text())["base"]["data"]
        told = json.loads((place / "logprobs.json").read_text())
        model = models.load(place / "merged-f32")
        apart = max(far(model, datum, torch.tensor(logprobs)) for datum, logprobs in zip(data, told, strict=True))
        print(f"{recipe.name}: merged model in transformers differs from the adapter in the engine by {apart:.1e}")
        assert apart <= LIMIT, f"the limit is {LIMIT:.0e}"


def by_peft(base, adapter):
    """Weights after merge_and_unload, in f32.

    An adapted head that is tied to the embedding is copied first; otherwise peft would add the adapter to the embedding
    as well.
    """
    model = models.load(base)
    config = json.loads((adapter / "adapter_config.json").read_text())
    if model.config.tie_word_embeddings and "lm_head" in config["target_modules"]:
        embedding = model.get_input_embeddings().weight
        model = AutoModelForCausalLM.from_pretrained(
            base, dtype=torch.float32, attn_implementation="eager", tie_word_embeddings=False
        ).eval()
        model.lm_head.weight = torch.nn.Parameter(embedding.detach().clone())
    merged = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    weights = dict(merged.state_dict())
    if merged.config.tie_word_embeddings:
        del weights["lm_head.weight"]
    return weights


def off(wanted, got, place):
    """Largest difference, relative to the rounding error of the saved numbers."""
    assert wanted.keys() == got.keys(), f"{place}: the names of tensors differ: {sorted(wanted.keys() ^ got.keys())}"
    most = 0.0
    for name, weight in wanted.items():
        eps = torch.finfo(got[name].dtype).eps
        rounding = SUMS * weight.abs().max() + (eps if got[name].dtype != torch.float32 else 0.0) * weight.abs()
        most = max(most, float(((got[name].float() - weight).abs() / rounding).max()))
    return most


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
