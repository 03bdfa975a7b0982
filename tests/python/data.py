"""Training data: four pairs of words."""

from tinker import types

MODEL = "tinker-local/tiny"
END = 256
PAIRS = [("sky ->", " blue"), ("grass ->", " green"), ("snow ->", " white"), ("coal ->", " black")]


def tokens(text):
    return list(text.encode())


def supervised(prompt, completion):
    before, after = tokens(prompt), tokens(completion) + [END]
    both = before + after
    weights = [0.0] * len(before) + [1.0] * len(after)
    return types.Datum(
        model_input=types.ModelInput.from_ints(both[:-1]),
        loss_fn_inputs={"target_tokens": both[1:], "weights": weights[1:]},
    )
