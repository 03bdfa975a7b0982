"""LoRA adapters, created with peft."""

import json

from peft import LoraConfig, PeftModel, get_peft_model

from models import fill

ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
MLP = ["gate_proj", "up_proj", "down_proj"]


def places(recipe):
    return ATTENTION * recipe.attention + MLP * recipe.mlp + ["lm_head"] * recipe.unembed


def deviation(rank):
    def of(name, parameter):
        # Neither matrix is zero, so that both have gradients.
        return (0.0, parameter.shape[1] ** -0.5) if "lora_A" in name else (0.0, 0.02 * rank**0.5)

    return of


def save(recipe, model, folder, seed):
    """Adds a random adapter to the model and saves the adapter to a folder."""
    config = LoraConfig(
        r=recipe.rank, lora_alpha=recipe.alpha, use_rslora=recipe.rank_stabilised, target_modules=places(recipe),
        lora_dropout=0.0, bias="none", task_type="CAUSAL_LM",
    )
    adapted = get_peft_model(model, config)
    fill(trained(adapted).items(), seed, deviation(recipe.rank))
    adapted.save_pretrained(folder, save_embedding_layers=recipe.with_embeddings)
    (folder / "README.md").unlink(missing_ok=True)
    tidy(folder / "adapter_config.json", recipe.name)
    return adapted.eval()


def tidy(path, base):
    """Removes differences between runs: the path of the base model, and the order of a set."""
    config = json.loads(path.read_text())
    config["base_model_name_or_path"] = base
    config["target_modules"].sort()
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def load(model, folder, trainable=False):
    return PeftModel.from_pretrained(model, folder, is_trainable=trainable).eval()


def trained(adapted):
    """The adapter's parameters by their names in its file."""
    return {
        name.replace(".default.", "."): parameter
        for name, parameter in adapted.named_parameters()
        if parameter.requires_grad
    }
