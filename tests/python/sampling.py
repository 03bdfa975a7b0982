"""Sampling options that report on the prompt."""

import math

from tinker import types

from data import MODEL, tokens
from table import refused, row


def options(service):
    sampler = service.create_sampling_client(base_model=MODEL).result()
    ids = tokens("snow -> white")
    prompt = types.ModelInput.from_ints(ids)
    one = types.SamplingParams(max_tokens=1, seed=1)
    last = len(ids) - 1

    def sample(**options):
        return sampler.sample(prompt, 1, one, **options).result()

    whole = sample(include_prompt_logprobs=True, topk_prompt_logprobs=3)
    logprobs = whole.prompt_logprobs
    best = [row is None or row[0][1] >= logprob for row, logprob in zip(whole.topk_prompt_logprobs, logprobs)]
    row("topk_prompt_logprobs", all(best) and len(best) == len(ids))

    dense = types.TensorData(data=[cell for id in ids[1:] for cell in (id, -1)], dtype="int64", shape=[last, 2])
    given = sample(target_prompt_logprobs=dense).target_prompt_logprobs
    same = all(a == b for a, b in zip(given.data[::2], logprobs[1:]))
    row("target_prompt_logprobs, dense", same and set(given.data[1::2]) == {0.0} and given.shape == [last, 2])

    sparse = types.TensorData(
        data=[ids[-1]],
        dtype="int64",
        shape=[last, 1],
        sparse_crow_indices=[0] * last + [1],
        sparse_col_indices=[0],
    )
    given = sample(target_prompt_logprobs=sparse).target_prompt_logprobs
    row("target_prompt_logprobs, sparse", list(given.data) == [logprobs[-1]] and given.sparse_col_indices == [0])

    drawn = sample(prompt_alt_tokens_k=4).prompt_alt_tokens
    finite = all(math.isfinite(logprob) and logprob <= 0 for logprob in drawn.logprobs.data)
    row("prompt_alt_tokens_k", finite and drawn.tokens.shape == [last, 4])

    tail = sample(include_prompt_logprobs=True, prompt_logprobs_last_n=2).prompt_logprobs
    row("prompt_logprobs_last_n", tail == [None] * (len(ids) - 2) + logprobs[-2:])
    refused("target_prompt_logprobs with the wrong number of rows", lambda: sample(target_prompt_logprobs=types.TensorData(
        data=[1], dtype="int64", shape=[1, 1])), "has 1 rows")

    clone = type(sampler).from_sampler_handle(sampler.get_sampler_handle(), api_key="tml-local")
    row("create a sampler from a handle", clone.sample(prompt, 1, one).result().sequences[0].tokens == whole.sequences[0].tokens)
