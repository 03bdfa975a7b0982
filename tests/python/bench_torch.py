"""The workloads of `tinker-engine/benches/speed.rs`, in PyTorch on the CPU.

Run by `cargo xtask bench engine`, which writes workloads to standard input and reads "units seconds" for each:

    train S batch=8 length=256 rank=16 how=eager      (or how=compile, how=bf16)
    sample S batch=1 prompt=16 length=240
    product m=1024 n=3072 k=512

Written for speed: stacked query, key and value weights; stacked gate and up weights; stacked A matrices of projections
that share an input; the fused attention and RMSNorm of PyTorch; a static KV cache.
"""

import contextlib
import math
import sys
import time
import warnings

import torch
from torch import nn
from torch.nn import functional as F

LONG_ENOUGH = 0.3
# Under autocast RMSNorm mixes types and warns once for each shape.
warnings.filterwarnings("ignore", message=".*rms_norm.*")

SHAPES = {
    "S": dict(d=128, layers=4, heads=4, kv=2, hd=32, ff=384, vocab=1024),
    "M": dict(d=512, layers=8, heads=8, kv=4, hd=64, ff=1536, vocab=4096),
}


class Projection(nn.Module):
    """Frozen weights stacked over several outputs, with a low-rank update of each."""

    def __init__(self, d, outputs, rank):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(sum(outputs), d) * 0.5 / math.sqrt(d), requires_grad=False)
        self.outputs, self.rank, self.scale = outputs, rank, 32.0 / max(rank, 1)
        if rank:
            self.a = nn.Parameter(torch.randn(rank * len(outputs), d) / math.sqrt(d))
            self.b = nn.ParameterList(nn.Parameter(torch.zeros(n, rank)) for n in outputs)

    def forward(self, x):
        y = F.linear(x, self.weight)
        if not self.rank:
            return y
        low = F.linear(x, self.a) * self.scale
        parts = [F.linear(part, b) for part, b in zip(low.split(self.rank, dim=-1), self.b)]
        return y + (parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1))


def turn(x, cos, sin):
    low, high = x.chunk(2, dim=-1)
    return torch.cat([low * cos - high * sin, high * cos + low * sin], dim=-1)


class Block(nn.Module):
    def __init__(self, d, heads, kv, hd, ff, rank):
        super().__init__()
        self.heads, self.kv, self.hd = heads, kv, hd
        self.input_norm, self.post_norm = nn.RMSNorm(d, eps=1e-6), nn.RMSNorm(d, eps=1e-6)
        self.q_norm, self.k_norm = nn.RMSNorm(hd, eps=1e-6), nn.RMSNorm(hd, eps=1e-6)
        self.qkv = Projection(d, [heads * hd, kv * hd, kv * hd], rank)
        self.o = Projection(heads * hd, [d], rank)
        self.gate_up = Projection(d, [ff, ff], rank)
        self.down = Projection(ff, [d], rank)

    def forward(self, x, cos, sin, cache=None, position=0):
        b, n, _ = x.shape
        qkv = self.qkv(self.input_norm(x))
        q, k, v = qkv.split([self.heads * self.hd, self.kv * self.hd, self.kv * self.hd], dim=-1)
        q = turn(self.q_norm(q.view(b, n, self.heads, self.hd)), cos, sin).transpose(1, 2)
        k = turn(self.k_norm(k.view(b, n, self.kv, self.hd)), cos, sin).transpose(1, 2)
        v = v.view(b, n, self.kv, self.hd).transpose(1, 2)
        if cache is not None:
            keys, values = cache
            keys[:, :, position : position + n] = k
            values[:, :, position : position + n] = v
            k, v = keys[:, :, : position + n], values[:, :, : position + n]
        y = F.scaled_dot_product_attention(q, k, v, is_causal=n > 1, enable_gqa=True)
        x = x + self.o(y.transpose(1, 2).reshape(b, n, -1))
        gate, up = self.gate_up(self.post_norm(x)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * up)


class Decoder(nn.Module):
    def __init__(self, d, layers, heads, kv, hd, ff, vocab, rank):
        super().__init__()
        self.embed = nn.Parameter(torch.randn(vocab, d) * 0.02, requires_grad=False)
        self.blocks = nn.ModuleList(Block(d, heads, kv, hd, ff, rank) for _ in range(layers))
        self.norm = nn.RMSNorm(d, eps=1e-6)
        for module in self.modules():
            if isinstance(module, nn.RMSNorm):
                module.requires_grad_(False)
        inverse = 10_000.0 ** (-torch.arange(0, hd, 2) / hd)
        angles = torch.outer(torch.arange(1024.0), inverse)[:, None, :]
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, tokens, caches=None, position=0):
        n = tokens.shape[1]
        cos, sin = self.cos[position : position + n], self.sin[position : position + n]
        x = F.embedding(tokens, self.embed)
        for i, block in enumerate(self.blocks):
            x = block(x, cos, sin, caches[i] if caches else None, position)
        return F.linear(self.norm(x if caches is None else x[:, -1:]), self.embed)


def loss_of(model, tokens, targets, weights):
    logits = model(tokens).float()
    losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    return (losses * weights.flatten()).sum()


def timed(units, run):
    run()
    start, runs = time.perf_counter(), 0
    while time.perf_counter() - start < LONG_ENOUGH:
        run()
        runs += 1
    return units * runs, time.perf_counter() - start


class Bench:
    def __init__(self):
        self.kept = {}

    def keep(self, key, make):
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]

    def train(self, shape, batch, length, rank, how):
        config = SHAPES[shape]

        def make():
            torch.manual_seed(0)
            model = Decoder(**config, rank=rank)
            trained = [p for p in model.parameters() if p.requires_grad]
            optimizer = torch.optim.Adam(trained, lr=1e-4, betas=(0.9, 0.95), eps=1e-12)
            return model, optimizer, torch.compile(loss_of) if how == "compile" else loss_of

        model, optimizer, loss = self.keep(("train", shape, rank, how), make)
        ids = torch.randint(config["vocab"], (batch, length + 1))
        tokens, targets = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()
        weights = (0.5 + (torch.arange(length) % 2)).expand(batch, length).contiguous()
        bf16 = how == "bf16"

        def run():
            with torch.autocast("cpu", dtype=torch.bfloat16) if bf16 else contextlib.nullcontext():
                value = loss(model, tokens, targets, weights)
            value.backward()
            optimizer.step()
            optimizer.zero_grad()

        return timed(batch * length, run)

    def sample(self, shape, batch, prompt, length):
        config = SHAPES[shape]
        model = self.keep(("sample", shape), lambda: Decoder(**config, rank=0).eval())
        size = (batch, config["kv"], prompt + length, config["hd"])
        caches = [(torch.zeros(size), torch.zeros(size)) for _ in range(config["layers"])]
        start = torch.randint(config["vocab"], (batch, prompt))

        @torch.inference_mode()
        def run():
            tokens, position, drawn = start, 0, []
            for _ in range(length):
                logits = model(tokens, caches, position)[:, -1]
                position += tokens.shape[1]
                logprobs = F.log_softmax(logits, dim=-1)
                tokens = torch.multinomial(logprobs.exp(), 1)
                drawn.append((tokens, logprobs.gather(1, tokens)))
            return drawn

        return timed(batch * length, run)

    def product(self, m, n, k):
        a, w = torch.randn(m, k), torch.randn(n, k)
        with torch.inference_mode():
            return timed(2.0 * m * n * k * 20, lambda: [F.linear(a, w) for _ in range(20)])


def main():
    torch.set_num_threads(int(sys.argv[1]))
    bench = Bench()
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads", flush=True)
    for line in sys.stdin:
        verb, *words = line.split()
        settings = dict(word.split("=") for word in words if "=" in word)
        settings = {name: int(value) if value.isdigit() else value for name, value in settings.items()}
        shape = [word for word in words if "=" not in word]
        try:
            units, seconds = getattr(bench, verb)(*shape, **settings)
            print(units, seconds, flush=True)
        except Exception as error:  # for example, compile without a C++ compiler
            print("failed", type(error).__name__, str(error).replace("\n", " ")[:200], flush=True)


if __name__ == "__main__":
    main()
