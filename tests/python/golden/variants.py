"""Writes adapters of peft in its variants, each with the log probabilities that peft computes or the field for which it is
refused.

    python variants.py MODEL FOLDER

MODEL is the folder of a golden model.
"""

import json
import shutil
import sys
import warnings
from pathlib import Path

import torch
import transformers
from peft import IA3Config, LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

TOKENS = [5, 17, 3, 60, 22, 22, 9, 41, 0, 63, 12]

LOADED = {
    "subset": {"target_modules": ["q_proj", "v_proj"]},
    "regex": {"target_modules": r".*\.mlp\.(up|down)_proj"},
    "all-linear": {"target_modules": "all-linear"},
    "rslora": {"target_modules": ["q_proj", "gate_proj"], "use_rslora": True, "lora_alpha": 7.5},
    "alpha-pattern": {"target_modules": ["q_proj", "o_proj"], "alpha_pattern": {"o_proj": 5, "layers.0.self_attn.q_proj": 1}},
    "rank-pattern": {
        "target_modules": ["q_proj", "k_proj", "down_proj"], "rank_pattern": {"k_proj": 1, "down_proj": 6}, "use_rslora": True,
    },
    "one-layer": {"target_modules": ["q_proj", "up_proj"], "layers_to_transform": [1]},
    "head": {"target_modules": ["v_proj", "lm_head"]},
    "half": {"target_modules": ["q_proj", "v_proj"]},
    "bfloat": {"target_modules": ["q_proj", "v_proj"]},
    "named": {"target_modules": ["q_proj", "v_proj"]},
}
REFUSED = {
    "dora": ({"target_modules": ["q_proj"], "use_dora": True}, "use_dora"),
    "saved-modules": ({"target_modules": ["q_proj"], "modules_to_save": ["norm"]}, "modules_to_save"),
    "bias": ({"target_modules": ["q_proj"], "bias": "lora_only"}, "bias"),
    "lora-bias": ({"target_modules": ["q_proj"], "lora_bias": True}, "lora_bias"),
    "embedding": ({"target_modules": ["q_proj", "embed_tokens"]}, "embed_tokens"),
    "pattern-expression": ({"target_modules": ["q_proj"], "alpha_pattern": {r".*\.0\..*": 3}}, "alpha_pattern"),
    "ia3": (None, "peft_type"),
}


def base(folder):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model.eval()


def logprobs(model):
    tokens = torch.tensor(TOKENS)
    with torch.no_grad():
        every = torch.log_softmax(model(input_ids=tokens[None]).logits[0].float(), dim=-1)
    return [float(every[at, tokens[at + 1]]) for at in range(len(TOKENS) - 1)]


def save(model, config, folder, seed):
    adapted = get_peft_model(model, config)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(adapted.named_parameters()):
        if "lora_" in name or "ia3_" in name:
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.2
    adapted.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    config["base_model_name_or_path"] = "llama3"
    if isinstance(config.get("target_modules"), list):
        config["target_modules"].sort()
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def convert(folder, name):
    """Stores the tensors as other programs do."""
    path = folder / "adapter_model.safetensors"
    tensors = load_file(path)
    if name in ("half", "bfloat"):
        dtype = torch.float16 if name == "half" else torch.bfloat16
        tensors = {key: value.to(dtype) for key, value in tensors.items()}
    if name == "named":
        tensors = {key.replace(".weight", ".default.weight"): value for key, value in tensors.items()}
    save_file(tensors, path)


def expected(folder, model, name):
    """What peft computes after loading the files."""
    if name == "named":
        path = folder / "adapter_model.safetensors"
        kept = path.read_bytes()
        save_file({key.replace(".default.", "."): value for key, value in load_file(path).items()}, path)
        values = logprobs(PeftModel.from_pretrained(model, folder).eval())
        path.write_bytes(kept)
        return values
    return logprobs(PeftModel.from_pretrained(model, folder).eval())


def main(model, root):
    shutil.rmtree(root, ignore_errors=True)
    cases = {"tokens": TOKENS, "base": logprobs(base(model)), "loaded": {}, "refused": {}}
    for number, (name, options) in enumerate(LOADED.items()):
        options = {"r": 4, "lora_alpha": 6, "task_type": "CAUSAL_LM"} | options
        save(base(model), LoraConfig(**options), root / name, seed=number)
        convert(root / name, name)
        cases["loaded"][name] = expected(root / name, base(model), name)
        change = max(abs(a - b) for a, b in zip(cases["base"], cases["loaded"][name]))
        assert change > 0.05, (name, change)
    for number, (name, (options, field)) in enumerate(REFUSED.items()):
        if options is None:
            config = IA3Config(target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"], task_type="CAUSAL_LM")
        else:
            config = LoraConfig(r=4, lora_alpha=6, task_type="CAUSAL_LM", **options)
        save(base(model), config, root / name, seed=50 + number)
        cases["refused"][name] = field
    (root / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")


main(Path(sys.argv[1]), Path(sys.argv[2]))
