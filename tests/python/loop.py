"""Runs the loop that every version of the official client knows: train, save, sample, resume, tokenize.

    python loop.py URL

Prints a table. The exit status is 1 if a row failed.
"""

import importlib.metadata
import os
import sys
import warnings

warnings.filterwarnings("ignore")
os.environ["TINKER_BASE_URL"] = sys.argv[1]
os.environ.setdefault("TINKER_API_KEY", "tml-local")
os.environ["TINKER_TELEMETRY"] = "0"

import tinker  # noqa: E402
from tinker import types  # noqa: E402

from data import MODEL, PAIRS, supervised, tokens  # noqa: E402
from table import finish, row  # noqa: E402

VERSION = importlib.metadata.version("tinker")


def wait(value):
    """The value of a future; some versions return the value itself."""
    return value.result(timeout=120) if hasattr(value, "result") else value


def main():
    service = tinker.ServiceClient(api_key=os.environ["TINKER_API_KEY"], base_url=os.environ["TINKER_BASE_URL"])
    training = wait(service.create_lora_training_client(base_model=MODEL, rank=16))
    data = [supervised(*pair) for pair in PAIRS]
    losses = []
    for _ in range(40):
        gradients = training.forward_backward(data, "cross_entropy")
        step = training.optim_step(types.AdamParams(learning_rate=3e-3))
        losses.append(wait(gradients).metrics["loss:sum"])
        wait(step)
    row(f"{VERSION}: train", losses[-1] < 0.1 * losses[0], f"loss {losses[0]:.2f} -> {losses[-1]:.3f}")

    saved = wait(training.save_state("loop")).path
    named = wait(training.save_weights_for_sampler("loop")).path
    row(f"{VERSION}: save", "/weights/" in saved and "/sampler_weights/" in named, saved)

    sampler = wait(service.create_sampling_client(model_path=named))
    greedy = types.SamplingParams(max_tokens=16, temperature=0.0)
    texts = []
    for prompt, _ in PAIRS:
        answer = wait(sampler.sample(types.ModelInput.from_ints(tokens(prompt)), 1, greedy)).sequences[0]
        texts.append(bytes(token for token in answer.tokens if token < 256).decode())
    row(f"{VERSION}: sample", texts == [completion for _, completion in PAIRS], repr(texts))

    resumed = wait(service.create_lora_training_client(base_model=MODEL, rank=16))
    wait(resumed.load_state(saved))
    mine, theirs = [wait(client.forward(data, "cross_entropy")).metrics["loss:sum"] for client in (training, resumed)]
    row(f"{VERSION}: resume", mine == theirs, f"loss {mine:.6f} and {theirs:.6f}")

    tokenizer = training.get_tokenizer()
    text = "naïve café\n  <日本>\t'quote'"
    there_and_back = tokenizer.decode(tokenizer.encode(text)) == text
    row(f"{VERSION}: get_tokenizer", there_and_back and tokenizer.encode(text) == tokens(text))
    row(f"{VERSION}: end token", tokenizer.eos_token_id == 256, repr(tokenizer.eos_token))
    finish()


main()
