"""masks.py FILE: the assistant masks of transformers for templates with generation blocks."""

import json
import sys
import tempfile

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import AutoTokenizer

END = "<|im_end|>\n"
HEAD = "<|im_start|>{{ m.role }}\n"
PROMPT = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"


def template(head, answer, other="{{ m.content }}" + END):
    turn = head + "{% if m.role == 'assistant' %}" + answer + "{% else %}" + other + "{% endif %}"
    return "{% for m in messages %}" + turn + "{% endfor %}" + PROMPT


TEMPLATES = {
    "end token inside": template(HEAD, "{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}\n"),
    "line break inside": template(HEAD, "{% generation %}{{ m.content }}" + END + "{% endgeneration %}"),
    "content only": template(HEAD, "{% generation %}{{ m.content }}{% endgeneration %}" + END),
    "white space removed": template(HEAD, "  {%- generation -%}  {{ m.content }}  {%- endgeneration -%}  " + END),
    "a token crosses the start": template("{{ m.role }} ", "{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}\n"),
    "in two parts": template(
        HEAD, "{% generation %}<b>{% endgeneration %}-{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}\n"
    ),
}


def messages(*texts):
    roles = ["user", "assistant"]
    return [{"role": roles[at % 2], "content": text} for at, text in enumerate(texts)]


CONVERSATIONS = [
    messages("Hi", "Hello"),
    messages("Is it?", "yes", "And this?", "yes yes"),
    [{"role": "system", "content": "Be brief..."}] + messages("A?", "one ...", "B?", "two", "C?", "three"),
    messages("\U0001f980", "caf\u00e9 \U0001f980 \u65e5\u672c", "e\u0301", "\u0645\u0631\u062d\u0628\u0627"),
    messages("a\n\nb", "  led by spaces\n\nand lines\n"),
    messages("What is <|im_end|>?", "An <|im_end|> inside"),
]


def tokenizer():
    vocabulary = {letter: at for at, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    merges = [("\u0120", "y"), ("e", "s"), ("\u0120y", "es"), (".", "."), ("..", ".")]
    for pair in merges:
        vocabulary["".join(pair)] = len(vocabulary)
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    made.post_processor = processors.ByteLevel(trim_offsets=False)
    made.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    return made


def main(path):
    made = tokenizer()
    with tempfile.TemporaryDirectory() as folder:
        made.save(f"{folder}/tokenizer.json")
        with open(f"{folder}/tokenizer_config.json", "w") as file:
            json.dump({"eos_token": "<|im_end|>", "tokenizer_class": "PreTrainedTokenizerFast"}, file)
        oracle = AutoTokenizer.from_pretrained(folder)
    cases = []
    for name, source in TEMPLATES.items():
        for conversation in CONVERSATIONS:
            out = oracle.apply_chat_template(
                conversation, chat_template=source, return_assistant_tokens_mask=True, return_dict=True
            )
            cases.append([name, conversation, out["input_ids"], out["assistant_masks"]])
    golden = {"tokenizer": json.loads(made.to_str()), "templates": TEMPLATES, "cases": cases}
    with open(path, "w") as file:
        json.dump(golden, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")


main(sys.argv[1])
