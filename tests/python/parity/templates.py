"""templates.py INPUT OUTPUT: chat templates rendered and masked by `apply_chat_template` of transformers.

INPUT is an object with `templates` (sources), `conversations` (a file), `tokens` (special tokens by name), `tokenizer`
(a folder), `now` (the local time) and `constructs` (a file of small templates with the texts that are expected, which is
written again). OUTPUT gets, for each template: for each conversation, without and with the start of an answer, the text
with the byte ranges of its `generation` blocks, or null where the template refuses; and for each conversation the
tokens with the assistant mask, if the template has such blocks.
"""

import datetime
import json
import re
import sys

import transformers
import transformers.utils.chat_template_utils as utils
from transformers import AutoTokenizer

with open(sys.argv[1], encoding="utf-8") as file:
    request = json.load(file)
with open(request["conversations"], encoding="utf-8") as file:
    conversations = json.load(file)
with open(request["constructs"], encoding="utf-8") as file:
    constructs = json.load(file)

NOW = datetime.datetime.fromisoformat(request["now"])


class Frozen(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


utils.datetime = Frozen
tokenizer = AutoTokenizer.from_pretrained(request["tokenizer"])
tokens = request["tokens"]
assert tokens.items() <= tokenizer.special_tokens_map.items(), tokenizer.special_tokens_map


def render(template, conversation, is_prompt, **variables):
    """The text and its ranges, or none if the template refuses."""
    messages, tools = conversation["messages"], conversation.get("tools")
    try:
        texts, ranges = utils.render_jinja_template(
            [utils._normalize_chat_messages(messages)],
            tools=tools,
            chat_template=template,
            add_generation_prompt=is_prompt,
            return_assistant_tokens_mask=True,
            **tokens,
            **variables,
        )
    except Exception:  # Templates raise errors of every kind.
        return None
    text = tokenizer.apply_chat_template(
        messages, tools=tools, chat_template=template, tokenize=False, add_generation_prompt=is_prompt, **variables
    )
    assert texts[0] == text, template
    size = lambda count: len(text[:count].encode())
    return {"text": text, "ranges": [[size(start), size(end)] for start, end in ranges[0]]}


def mask(template, conversation):
    """The tokens and their mask, or none if the template refuses."""
    try:
        out = tokenizer.apply_chat_template(
            conversation["messages"],
            tools=conversation.get("tools"),
            chat_template=template,
            return_assistant_tokens_mask=True,
            return_dict=True,
        )
    except Exception:
        return None
    return {"ids": out["input_ids"], "mask": out["assistant_masks"]}


def has_blocks(template):
    return re.search(r"\{%[-+]?\s*generation\s*[-+]?%\}", template) is not None


result = {
    "transformers": transformers.__version__,
    "templates": [
        {
            "texts": [
                render(template, conversation, is_prompt)
                for conversation in conversations
                for is_prompt in (False, True)
            ],
            "masks": [mask(template, conversation) for conversation in conversations if has_blocks(template)],
        }
        for template in request["templates"]
    ],
}
with open(sys.argv[2], "w", encoding="utf-8") as file:
    json.dump(result, file)

question = {"messages": [{"role": "user", "content": "<think>\na</think>\n\nb"}]}
texts = []
for template, _ in constructs["constructs"]:
    rendered = render(template, question, False, args=constructs["args"])
    texts.append([template, rendered and rendered["text"]])
dump = lambda value: json.dumps(value, ensure_ascii=False)
with open(request["constructs"], "w", encoding="utf-8") as file:
    file.write('{"args": ' + dump(constructs["args"]) + ',\n"constructs": [\n' + ",\n".join(map(dump, texts)) + "\n]}\n")
