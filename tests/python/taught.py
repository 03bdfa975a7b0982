"""taught.py TINKER TOKENIZER WORK: what is taught comes back and stops, in the local engine and in transformers.

TINKER is the command, TOKENIZER a folder with the tokenizer.json and tokenizer_config.json of a Qwen 3, WORK an empty
folder. A small random Qwen 3 with that tokenizer learns conversations of several turns, with thoughts and with tools.
Each answer is then sampled after its own prompt, and the exported model answers the same in transformers.
"""

import json
import subprocess
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen3Config, Qwen3ForCausalLM

TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def user(text):
    return {"role": "user", "content": text}


def assistant(text, **more):
    return {"role": "assistant", "content": text, **more}


def call(city):
    return {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": {"city": city}}}


ROWS = [
    {"messages": [user("Opposite of wet?"), assistant("dry"), user("And of big?"), assistant("small")]},
    {
        "messages": [
            {"role": "system", "content": "Speak like a pirate."},
            user("Hello"),
            assistant("Ahoy, matey!"),
            user("Bye"),
            assistant("Fair winds \U0001f3f4"),
        ]
    },
    {
        "messages": [
            user("2 + 3?"),
            assistant("5", reasoning_content="Two and three make five."),
            user("And 5 more?"),
            assistant("10", reasoning_content="Five and five make ten."),
        ]
    },
    {
        "messages": [
            user("Weather in Oslo?"),
            assistant("", tool_calls=[call("Oslo")]),
            {"role": "tool", "content": '{"sky": "snow"}', "tool_call_id": "c1"},
            assistant("It snows in Oslo."),
        ],
        "tools": [TOOL],
    },
]


def questions():
    for row in ROWS:
        for at, message in enumerate(row["messages"]):
            if message["role"] == "assistant":
                yield row["messages"][:at], message, row.get("tools")


def model(tokenizer, place):
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=151936, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=16, max_position_embeddings=2048, tie_word_embeddings=False,
        bos_token_id=151643, eos_token_id=151643,
    )
    made = Qwen3ForCausalLM(config)
    with torch.no_grad():
        for name, weight in made.named_parameters():
            # Larger than usual, so that tokens differ enough for a small adapter.
            if weight.dim() == 2:
                weight.normal_(0, 0.5 if "embed" in name else weight.shape[1] ** -0.5)
    place.mkdir(exist_ok=True)
    made.save_pretrained(place)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (place / name).write_bytes((tokenizer / name).read_bytes())


def run(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{words}\n{done.stdout}{done.stderr}")
    return done.stdout


def main(tinker, tokenizer, work):
    base, merged, store = work / "base", work / "merged", work / "store"
    model(tokenizer, base)
    data = work / "chats.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    out = run(
        tinker, "train", data, "--eval", data, "--model", base, "--local", "--data-dir", store, "--output", work / "run",
        "--learning-rate", "0.01", "--rank", "16", "--steps", "150", "--batch-size", "8", "--json",
    )
    outcome = json.loads(out)
    print("exact match", outcome["before"]["rate"], "->", outcome["after"]["rate"])
    run(tinker, "export", outcome["checkpoint"], "--out", merged, "--merged", "--data-dir", store)
    oracle = AutoModelForCausalLM.from_pretrained(merged)
    texts = AutoTokenizer.from_pretrained(merged)
    wrong = 0
    for at, (before, answer, tools) in enumerate(questions()):
        asked = work / f"question-{at}.json"
        asked.write_text(json.dumps({"messages": before, "tools": tools} if tools else before))
        ours = json.loads(run(
            tinker, "sample", "--messages", asked, "--model", outcome["sampler"], "--local", "--data-dir", store,
            "--temperature", "0", "--max-tokens", "80", "--json",
        ))["samples"][0]
        prompt = texts.apply_chat_template(
            before, tools=tools, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        theirs = oracle.generate(**prompt, do_sample=False, max_new_tokens=80)[0, prompt["input_ids"].shape[1]:].tolist()
        # The text that the template itself writes for the answer.
        whole = texts.apply_chat_template([*before, answer], tools=tools, tokenize=False)
        start = texts.apply_chat_template(before, tools=tools, tokenize=False, add_generation_prompt=True)
        taught = texts(whole[len(start):].rstrip("\n"), add_special_tokens=False)["input_ids"]
        is_right = ours["tokens"] == taught and ours["stop_reason"] == "stop" and theirs == taught
        wrong += not is_right
        print("right" if is_right else "WRONG", repr(ours["text"]), ours["stop_reason"], repr(texts.decode(theirs)))
    print("ends of the export:", json.loads((merged / "config.json").read_text())["eos_token_id"])
    if wrong:
        sys.exit(f"{wrong} answers are wrong")


main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
