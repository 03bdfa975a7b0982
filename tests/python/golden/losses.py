"""The losses in torch, by their public definitions. Each is a sum over tokens and data."""

import torch

TIGHT = {"clip_low_threshold": 0.9, "clip_high_threshold": 1.15}
WIDE = {"clip_low_threshold": 0.01, "clip_high_threshold": 100.0}
SEQUENCE = {"clip_low_threshold": 0.93, "clip_high_threshold": 1.2}


def cross_entropy(lp, x, config):
    return -(x["weights"] * lp).sum()


def ratio(lp, x):
    return torch.exp(lp - x["logprobs"])


def bounds(x, config, low, high):
    low = config.get("clip_low_threshold", low)
    high = config.get("clip_high_threshold", high)
    return x.get("clip_low_threshold", torch.tensor(low)), x.get("clip_high_threshold", torch.tensor(high))


def importance_sampling(lp, x, config):
    return -(ratio(lp, x) * x["advantages"]).sum()


def ppo(lp, x, config):
    r, (low, high) = ratio(lp, x), bounds(x, config, 0.8, 1.2)
    clipped = torch.clamp(r, low, high)
    return -torch.minimum(r * x["advantages"], clipped * x["advantages"]).sum()


def cispo(lp, x, config):
    clipped = torch.clamp(ratio(lp, x), *bounds(x, config, 0.0, 4.0)).detach()
    return -(clipped * lp * x["advantages"]).sum()


def dro(lp, x, config):
    gap, counts = lp - x["logprobs"], x["advantages"] != 0
    terms = lp * x["advantages"] - config.get("beta", 0.01) / 2 * gap**2
    return -torch.where(counts, terms, 0.0).sum()


def gspo(lp, x, config):
    """https://arxiv.org/abs/2507.18071, section 4.3: with an advantage for each token."""
    mask, (low, high) = x["sequence_ratio_mask"], bounds(x, config, 1 - 3e-4, 1 + 4e-4)
    s = torch.exp((mask * (lp - x["logprobs"])).sum() / mask.sum())
    s = s.detach() * torch.exp(lp - lp.detach())
    return -torch.minimum(s * x["advantages"], torch.clamp(s, low, high) * x["advantages"]).sum()


# Uploaded losses: functions of the log probabilities and further inputs of one datum.


def soft_margin(logprobs, old, advantages):
    gap = torch.clamp(logprobs - old, -2.0, 2.0)
    gain = torch.sigmoid(3.0 * gap) * advantages
    penalty = torch.where(advantages > 0, gap**2, torch.abs(gap)).mean()
    loss = 0.1 * penalty - gain.sum() / math_sqrt(logprobs)
    return loss, {"custom/gain:sum": gain.sum(), "custom/gap:mean": gap.mean()}


def math_sqrt(logprobs):
    return torch.sqrt(torch.exp(logprobs).sum() + 1.0)


def prefixes(logprobs, advantages):
    sums = torch.cumsum(logprobs, dim=0)
    share = torch.softmax(sums * 0.3, dim=0)
    late = torch.nn.functional.softplus(-logprobs[2:]) * advantages[2:]
    loss = -(share * advantages).sum() + late.mean() + torch.logsumexp(logprobs, dim=0)
    return loss, {"custom/longest:mean": sums.min()}


def towards(logprobs, teacher):
    """Divergence from a teacher, for [T, K] targets; both distributions are normalized over the K."""
    student = torch.log_softmax(logprobs, dim=-1)
    aim = torch.softmax(teacher, dim=-1)
    loss = (aim * (torch.log(aim) - student)).sum(dim=-1).sum()
    return loss, {"custom/kl:mean": loss}


UPLOADED = {
    soft_margin: {"logprobs": 1, "old": 1, "advantages": 1},
    prefixes: {"logprobs": 1, "advantages": 1},
    towards: {"logprobs": 2, "teacher": 2},
}
