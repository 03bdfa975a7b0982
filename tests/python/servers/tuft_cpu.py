"""Runs TuFT on a machine without a GPU.

    python tuft_cpu.py PORT MODEL_NAME MODEL_FOLDER DATA_FOLDER

TuFT's API, its state, checkpoints, promises and its training with transformers and peft are unchanged. Three parts need
a GPU or a cluster and are replaced:

- the actor that trains: a thread of this process instead of a Ray actor with a GPU,
- a counter of GPU memory that raises without a GPU: a function that does nothing,
- sampling: the class `Sampler` below, with transformers and peft, instead of vLLM. It is not TuFT's code.

State is kept in a file, so that a restart with the same data folder restores it. The key is tml-local.
"""

import asyncio
import json
import os
import pathlib
import sys
import threading

port, name, model_folder, data = sys.argv[1:]
data = pathlib.Path(data)
os.environ.update(
    TUFT_HOME=str(data), HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", DO_NOT_TRACK="1",
    OTEL_SDK_DISABLED="true", RAY_USAGE_STATS_ENABLED="0", TOKENIZERS_PARALLELISM="false", CUDA_VISIBLE_DEVICES="",
)

import torch  # noqa: E402
import tuft.backends.hf_training_model as training_model  # noqa: E402
from peft import PeftModel  # noqa: E402
from tinker import types  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402
from tuft.backends.base_backend import BaseSamplingBackend  # noqa: E402
from tuft.backends.training_backend import HFTrainingBackend  # noqa: E402


class ThreadActor:
    """An object whose methods run on the event loop of one thread, with the interface of a Ray actor."""

    def __init__(self, target):
        self.target = target
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def __getattr__(self, method):
        return RemoteMethod(getattr(self.target, method), self.loop)


class RemoteMethod:
    def __init__(self, method, loop):
        self.method, self.loop = method, loop

    async def remote(self, *args, **options):
        future = asyncio.run_coroutine_threadsafe(self.method(*args, **options), self.loop)
        return await asyncio.wrap_future(future)


class Sampler(BaseSamplingBackend):
    """Samples with transformers and peft, one request at a time."""

    def __init__(self, config):
        super().__init__(config)
        folder = str(config.model_path)
        self.base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.adapted = None
        self.lock = threading.Lock()
        ends = self.base.generation_config.eos_token_id
        self.ends = set(ends if isinstance(ends, list) else [] if ends is None else [ends])

    async def async_init(self):
        pass

    async def add_adapter(self, lora_id, adapter_path):
        if not pathlib.Path(adapter_path).exists():
            raise ValueError(f"LoRA adapter path {adapter_path} does not exist.")
        await asyncio.to_thread(self.load, lora_id, str(adapter_path))

    def load(self, lora_id, folder):
        with self.lock:
            if self.adapted is None:
                self.adapted = PeftModel.from_pretrained(self.base, folder, adapter_name=lora_id).eval()
            else:
                self.adapted.load_adapter(folder, adapter_name=lora_id)

    async def remove_adapter(self, lora_id):
        if self.adapted is not None and lora_id in self.adapted.peft_config:
            self.adapted.delete_adapter(lora_id)

    async def sample(self, prompt, num_samples, sampling_params, include_prompt_logprobs=False, topk_prompt_logprobs=0, lora_id=None):
        prompt = prompt.to_ints()
        return await asyncio.to_thread(
            self.locked, prompt, num_samples, sampling_params, include_prompt_logprobs, topk_prompt_logprobs, lora_id
        )

    @torch.no_grad()
    def locked(self, prompt, count, params, with_prompt, top, lora_id):
        with self.lock:
            if lora_id is None and self.adapted is None:
                return self.generate(self.base, prompt, count, params, with_prompt, top)
            if lora_id is None:
                with self.adapted.disable_adapter():
                    return self.generate(self.adapted, prompt, count, params, with_prompt, top)
            if self.adapted is None or lora_id not in self.adapted.peft_config:
                raise ValueError(f"LoRA adapter {lora_id} not found in backend.")
            self.adapted.set_adapter(lora_id)
            return self.generate(self.adapted, prompt, count, params, with_prompt, top)

    def generate(self, model, prompt, count, params, with_prompt, top):
        if not prompt:
            raise ValueError("prompt must contain at least one token")
        seed = params.seed if params.seed is not None else int.from_bytes(os.urandom(4), "little")
        random = torch.Generator().manual_seed(seed)
        most = params.max_tokens if params.max_tokens is not None else 16
        stop = params.stop if isinstance(params.stop, (list, tuple)) else [] if params.stop is None else [params.stop]
        stop_tokens = {item for item in stop if isinstance(item, int)} | self.ends
        stop_texts = [item for item in stop if isinstance(item, str)]

        out = model(input_ids=torch.tensor([prompt]), use_cache=True)
        prompt_logprobs, prompt_top = self.of_prompt(out.logits[0].float(), prompt, with_prompt, top)
        cache = out.past_key_values
        cache.batch_repeat_interleave(count)
        logits = out.logits[:, -1].float().expand(count, -1)
        tokens, logprobs = [[] for _ in range(count)], [[] for _ in range(count)]
        reasons, done = ["length"] * count, [most <= 0] * count
        while not all(done):
            drawn = draw(logits, params, random)
            chosen = logits.log_softmax(-1).gather(1, drawn.view(-1, 1)).view(-1)
            for i, (token, logprob) in enumerate(zip(drawn.tolist(), chosen.tolist())):
                if done[i]:
                    continue
                tokens[i].append(token)
                logprobs[i].append(logprob)
                text = self.tokenizer.decode(tokens[i]) if stop_texts else ""
                if token in stop_tokens or any(stop in text for stop in stop_texts):
                    reasons[i], done[i] = "stop", True
                elif len(tokens[i]) >= most:
                    done[i] = True
            if not all(done):
                out = model(input_ids=drawn.view(-1, 1), past_key_values=cache, use_cache=True)
                cache, logits = out.past_key_values, out.logits[:, -1].float()
        sequences = [
            types.SampledSequence(stop_reason=reason, _tokens_list=ids, _logprobs_list=values)
            for reason, ids, values in zip(reasons, tokens, logprobs)
        ]
        return types.SampleResponse(
            sequences=sequences, _prompt_logprobs_list=prompt_logprobs, _topk_prompt_logprobs_list=prompt_top
        )

    @staticmethod
    def of_prompt(logits, prompt, wanted, top):
        """Log probabilities of the prompt's tokens, and the most likely tokens at each place. The first has none."""
        if not wanted:
            return None, None
        rows = logits.log_softmax(-1)[:-1]
        chosen = [None, *rows.gather(1, torch.tensor(prompt[1:], dtype=torch.long).view(-1, 1)).view(-1).tolist()]
        if not top:
            return chosen, None
        best = [row.topk(top) for row in rows]
        return chosen, [None, *(list(zip(row.indices.tolist(), row.values.tolist())) for row in best)]


def draw(logits, params, random):
    if not params.temperature:
        return logits.argmax(-1)
    scaled = logits / params.temperature
    if params.top_k and params.top_k > 0:
        least = scaled.topk(min(params.top_k, scaled.shape[-1])).values[:, -1:]
        scaled = scaled.masked_fill(scaled < least, -torch.inf)
    if params.top_p is not None and params.top_p < 1:
        values, order = scaled.sort(descending=True)
        shares = values.softmax(-1)
        values = values.masked_fill(shares.cumsum(-1) - shares >= params.top_p, -torch.inf)
        scaled = torch.full_like(scaled, -torch.inf).scatter(1, order, values)
    return torch.multinomial(scaled.softmax(-1), 1, generator=random).view(-1)


async def nothing(_):
    """Shutdown without Ray, which would start a cluster in order to stop an actor."""


def main():
    torch.set_num_threads(1)
    torch.cuda.reset_peak_memory_stats = lambda *_, **__: None
    training_model.HFTrainingModel.get_actor = classmethod(lambda cls, config: ThreadActor(cls(config)))
    HFTrainingBackend.shutdown = nothing
    BaseSamplingBackend.create_backend = classmethod(lambda cls, config, worker_venv_path=None: Sampler(config))

    (data / "checkpoints").mkdir(parents=True, exist_ok=True)
    model = dict(
        model_name=name, model_path=model_folder, max_model_len=1024, max_lora_rank=64, max_loras=8, micro_batch_size=8,
        training_backend="hf",
    )
    config = dict(
        checkpoint_dir=str(data / "checkpoints"), model_owner="local-user", authorized_users={"tml-local": "local-user"},
        supported_models=[model], telemetry=dict(enabled=False),
        persistence=dict(mode="FILE", file_path=str(data / "state.json")),
    )
    # JSON is a subset of YAML.
    path = data / "tuft.yaml"
    path.write_text(json.dumps(config, indent=1))
    sys.argv = ["tuft", "launch", "--host", "127.0.0.1", "--port", port, "--config", str(path), "--log-level", "info"]
    from tuft.cli import main as launch

    launch()


main()
