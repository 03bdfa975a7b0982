"""Reference results of torch: log probabilities, gradients, optimizer steps, greedy decoding."""

import torch

from adapters import trained


def logprobs(model, tokens, targets):
    """Log probabilities of targets, [T] or [T, K]."""
    logits = model(input_ids=tokens[None]).logits[0].float()
    every = torch.log_softmax(logits, dim=-1)
    if targets.dim() == 1:
        return every.gather(1, targets[:, None])[:, 0]
    return every.gather(1, targets)


def gradients(model, data, loss):
    """Loss, log probabilities, metrics and gradients of `loss(lp, inputs)` over all data."""
    model.zero_grad()
    every, total, metrics = [], 0.0, []
    for tokens, inputs in data:
        lp = logprobs(model, tokens, inputs["target_tokens"])
        value = loss(lp, inputs)
        if isinstance(value, tuple):
            value, of_datum = value
            metrics.append({name: float(metric.detach()) for name, metric in of_datum.items()})
        value.backward()
        total += float(value.detach())
        every.append(lp.detach())
    grads = {name: parameter.grad.clone() for name, parameter in trained(model).items()}
    return total, every, joined(metrics), grads


def joined(metrics):
    """Metrics summed over data; those that end with `:mean` are averaged."""
    names = metrics[0] if metrics else {}
    sums = {name: sum(of_datum[name] for of_datum in metrics) for name in names}
    return {name: value / len(metrics) if name.endswith(":mean") else value for name, value in sums.items()}


def adamw(model, batches, loss, steps, adam):
    """Makes steps, each with gradients accumulated over all batches. Returns the loss and the gradient norm of each."""
    parameters = list(trained(model).values())
    optimizer = torch.optim.AdamW(
        parameters, lr=adam["learning_rate"], betas=(adam["beta1"], adam["beta2"]), eps=adam["eps"],
        weight_decay=adam["weight_decay"],
    )
    history, norms = [], []
    for _ in range(steps):
        optimizer.zero_grad()
        total = 0.0
        for tokens, inputs in (datum for batch in batches for datum in batch):
            value = loss(logprobs(model, tokens, inputs["target_tokens"]), inputs)
            value.backward()
            total += float(value.detach())
        limit = adam["grad_clip_norm"] or float("inf")
        norms.append(float(torch.nn.utils.clip_grad_norm_(parameters, limit)))
        optimizer.step()
        history.append(total)
    return history, norms


@torch.no_grad()
def greedy(model, prompt, most):
    """Greedy continuation up to the end token of the model, with a KV cache.

    Returns the tokens, their log probabilities, those of the prompt after its first token, and the smallest distance
    between the two most likely tokens.
    """
    end, tokens, logprobs, nearest = model.config.eos_token_id, [], [], float("inf")
    next, cache = prompt, None
    while len(tokens) < most and end not in tokens:
        made = model(input_ids=next[None], past_key_values=cache, use_cache=True)
        cache = made.past_key_values
        every = torch.log_softmax(made.logits[0].float(), dim=-1)
        if not tokens:
            before = every[:-1].gather(1, prompt[1:, None])[:, 0]
        best = every[-1].topk(2)
        next = best.indices[:1]
        tokens.append(int(next))
        logprobs.append(best.values[0])
        nearest = min(nearest, float(best.values[0] - best.values[1]))
    return tokens, torch.stack(logprobs), before, nearest
