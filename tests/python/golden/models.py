"""Tiny random models, saved as Hugging Face folders by transformers."""

import json
from dataclasses import dataclass, field

import numpy as np
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config, Qwen3Config

VOCAB = 64


@dataclass
class Recipe:
    """A model and its adapter."""

    name: str
    config: type
    shape: dict
    dtype: torch.dtype
    sharded: bool
    # Whether config.json has the form of transformers 4, as in most published folders.
    older: bool
    rank: int = 4
    # The engine trains adapters with 32.
    alpha: int = 32
    rank_stabilised: bool = False
    # Whether the adapter's file repeats the weights of the embedding and the head, the default of peft.
    with_embeddings: bool = False
    attention: bool = True
    mlp: bool = True
    unembed: bool = True
    # Whether gradients of every loss and optimizer runs are recorded; otherwise only gradients of cross entropy.
    every_loss: bool = False
    more: dict = field(default_factory=dict)

    def shape_of_adapter(self):
        return {"rank": self.rank, "attention": self.attention, "mlp": self.mlp, "unembed": self.unembed}


def shape(heads, key_heads, head_dim, tied):
    return {
        "num_attention_heads": heads,
        "num_key_value_heads": key_heads,
        "head_dim": head_dim,
        "tie_word_embeddings": tied,
    }


LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 1000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}

RECIPES = [
    Recipe("llama", LlamaConfig, shape(4, 2, 8, False), torch.float32, True, True, rank=2, every_loss=True),
    Recipe(
        "llama3", LlamaConfig, shape(2, 1, 16, True), torch.bfloat16, False, False,
        rank=2, mlp=False, unembed=False, more={"rope_parameters": LLAMA3, "rms_norm_eps": 1e-5},
    ),
    Recipe(
        "llama3-older", LlamaConfig, shape(2, 2, 16, False), torch.float16, False, True,
        attention=False, alpha=20, with_embeddings=True, more={"rope_parameters": LLAMA3},
    ),
    Recipe(
        "qwen2", Qwen2Config, shape(4, 2, 8, True), torch.float16, False, True,
        rank=3, with_embeddings=True, every_loss=True,
    ),
    Recipe(
        "qwen2-untied", Qwen2Config, shape(4, 4, 8, False), torch.float32, True, False,
        rank=8, alpha=12, rank_stabilised=True, unembed=False,
    ),
    Recipe("qwen3", Qwen3Config, shape(4, 2, 12, True), torch.bfloat16, True, False, rank=2, every_loss=True),
    Recipe("qwen3-untied", Qwen3Config, shape(4, 1, 6, False), torch.float32, False, True, rank=1, alpha=9, mlp=False),
]


def fill(named, seed, deviation):
    """Fills parameters, in the order of their names, from a generator whose stream is fixed."""
    draw = np.random.RandomState(seed)
    with torch.no_grad():
        for name, parameter in sorted(named, key=lambda pair: pair[0]):
            mean, spread = deviation(name, parameter)
            values = mean + spread * draw.standard_normal(tuple(parameter.shape))
            parameter.copy_(torch.from_numpy(values))


def deviation(name, parameter):
    if name.endswith("norm.weight"):
        return 1.0, 0.2
    if name.endswith("bias"):
        return 0.0, 0.3
    if "embed_tokens" in name or "lm_head" in name:
        return 0.0, 0.3
    return 0.0, parameter.shape[1] ** -0.5


def save(recipe, folder, seed):
    """Saves the folder. Returns the model as transformers loads it, in f32."""
    config = recipe.config(
        vocab_size=VOCAB, hidden_size=32, intermediate_size=40, num_hidden_layers=2, max_position_embeddings=128,
        bos_token_id=None, eos_token_id=VOCAB - 1, pad_token_id=None, attention_dropout=0.0,
        **recipe.shape, **recipe.more,
    )
    model = AutoModelForCausalLM.from_config(config)
    fill(model.named_parameters(), seed, deviation)
    limit = "20KB" if recipe.sharded else "1GB"
    model.to(recipe.dtype).save_pretrained(folder, max_shard_size=limit)
    shards = len(list(folder.glob("*.safetensors")))
    assert (shards > 1) == recipe.sharded, f"{recipe.name}: {shards} files"
    if recipe.older:
        as_older(folder / "config.json")
    return load(folder)


def load(folder):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    return model.eval()


def as_older(path):
    """Rewrites a configuration in the form of transformers 4."""
    config = json.loads(path.read_text())
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    config["torch_dtype"] = config.pop("dtype")
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
