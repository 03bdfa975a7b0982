"""Test cases of the losses: data in the form of requests."""

import numpy as np
import torch

import graph
import losses
from models import VOCAB

LENGTHS = [9, 1, 14]
CLIPS = ("clip_low_threshold", "clip_high_threshold")
# Distance from a bound within which a ratio might be clipped on one side of the comparison only.
MARGIN = 1e-3


class Draw:
    """Random data for one model, from a generator whose stream is fixed. Numbers have few digits, to keep files small."""

    def __init__(self, seed):
        self.random = np.random.RandomState(seed)

    def tokens(self, *shape):
        return torch.from_numpy(self.random.randint(0, VOCAB, shape))

    def floats(self, *shape, deviation=1.0, digits=2):
        values = self.random.standard_normal(shape) * deviation
        return torch.from_numpy(np.round(values, digits)).float()

    def some(self, *shape, share=0.8):
        return torch.from_numpy(self.random.uniform(size=shape) < share).float()


def sequences(draw):
    """Inputs and targets: one text of each length, shifted."""
    texts = [draw.tokens(length + 1) for length in LENGTHS]
    return [(text[:-1], text[1:]) for text in texts]


def supervised(draw, pairs):
    return [(tokens, {"target_tokens": to, "weights": draw.floats(len(to)) * draw.some(len(to))}) for tokens, to in pairs]


def distilled(draw, pairs, k=3):
    def targets(n):
        return torch.stack([torch.from_numpy(draw.random.permutation(VOCAB)[:k]) for _ in range(n)])

    return [
        (tokens, {"target_tokens": targets(len(to)), "weights": draw.floats(len(to), k).abs() * draw.some(len(to), k)})
        for tokens, to in pairs
    ]


def reinforced(draw, pairs, logprobs, masked=False, clips=False):
    """Data of policy losses; the log probabilities of the sampling policy are those of the model plus noise."""
    data = []
    for (tokens, to), lp in zip(pairs, logprobs):
        old = torch.from_numpy(np.round((lp + draw.floats(len(to), deviation=0.3)).numpy(), 3)).float()
        some = draw.some(len(to))
        some[-1] = 1.0
        inputs = {"target_tokens": to, "logprobs": old, "advantages": draw.floats(len(to)) * some}
        if masked:
            inputs["sequence_ratio_mask"] = some
        if clips:
            inputs["clip_low_threshold"] = 1.0 - draw.floats(len(to), deviation=0.2).abs()
            inputs["clip_high_threshold"] = 1.0 + draw.floats(len(to), deviation=0.2).abs()
        data.append((tokens, inputs))
    return data


def check_margins(name, data, logprobs, loss, config, defaults):
    """Fails if a ratio is too near to a bound; change the seed then."""
    for (_, x), lp in zip(data, logprobs):
        r = losses.ratio(lp, x)
        if "sequence_ratio_mask" in x:
            mask = x["sequence_ratio_mask"]
            r = torch.exp((mask * (lp - x["logprobs"])).sum() / mask.sum())
        for bound in losses.bounds(x, config, *defaults):
            nearest = (r - bound).abs().min()
            assert nearest > MARGIN / 50, f"{name}: a ratio is {nearest:.1e} from a bound; change the seed"


def built_in(draw, pairs, logprobs, every):
    """Name, loss, config and data of the built-in losses."""
    yield "cross_entropy", losses.cross_entropy, {}, supervised(draw, pairs)
    if not every:
        return
    yield "cross_entropy_top_k", losses.cross_entropy, {}, distilled(draw, pairs)
    for name, loss, config, defaults, more in [
        ("importance_sampling", losses.importance_sampling, {}, None, {}),
        ("ppo", losses.ppo, {}, (0.8, 1.2), {}),
        ("ppo_tight", losses.ppo, losses.TIGHT, (0.8, 1.2), {}),
        ("ppo_per_token", losses.ppo, {}, (0.8, 1.2), {"clips": True}),
        ("cispo", losses.cispo, {}, (0.0, 4.0), {}),
        ("cispo_tight", losses.cispo, losses.TIGHT, (0.0, 4.0), {}),
        ("dro", losses.dro, {}, None, {}),
        ("dro_strong", losses.dro, {"beta": 0.7}, None, {}),
        ("gspo", losses.gspo, {}, (1 - 3e-4, 1 + 4e-4), {"masked": True}),
        ("gspo_wide", losses.gspo, losses.WIDE, (0, 0), {"masked": True}),
        ("gspo_own", losses.gspo, losses.SEQUENCE, (0, 0), {"masked": True}),
    ]:
        data = reinforced(draw, pairs, logprobs, **more)
        if defaults:
            check_margins(name, data, logprobs, loss, config, defaults)
        yield name, loss, config, data


def uploaded(draw, pairs, logprobs):
    """Function, graph and data of the uploaded losses."""
    for loss, ranks in losses.UPLOADED.items():
        if loss is losses.towards:
            data = [(t, {"target_tokens": x["target_tokens"]}) for t, x in distilled(draw, pairs[::2])]
            for _, x in data:
                x["teacher"] = draw.floats(*x["target_tokens"].shape)
        else:
            data = reinforced(draw, pairs[::2], logprobs[::2])
            for _, x in data:
                x["old"] = x.pop("logprobs")
        yield loss, graph.trace(loss, ranks), data


def wire(data):
    """Data in the JSON form of requests."""
    return [
        {
            "model_input": {"chunks": [{"type": "encoded_text", "tokens": tokens.tolist()}]},
            "loss_fn_inputs": {name: tensor(value) for name, value in inputs.items()},
        }
        for tokens, inputs in data
    ]


def tensor(value):
    is_float = value.dtype == torch.float32
    return {
        "data": short(value.flatten()) if is_float else value.flatten().tolist(),
        "dtype": "float32" if is_float else "int64",
        "shape": list(value.shape),
    }


def short(values):
    """The shortest decimal numbers that parse to the same f32."""
    return [float(str(x)) for x in np.asarray(values, dtype=np.float32)]
