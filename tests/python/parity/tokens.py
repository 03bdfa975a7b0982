"""tokens.py INPUT OUTPUT: ids of texts by the tokenizers of transformers.

INPUT is {"texts": [...], "tokenizers": {NAME: FOLDER}}. OUTPUT has for each text the ids without and with the special
tokens that the tokenizer adds.
"""

import json
import sys

import transformers

source, target = sys.argv[1:]
with open(source, encoding="utf-8") as file:
    request = json.load(file)
texts, ids = request["texts"], {}
for name, folder in request["tokenizers"].items():
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    plain = tokenizer(texts, add_special_tokens=False)["input_ids"]
    whole = tokenizer(texts)["input_ids"]
    ids[name] = list(zip(plain, whole))
with open(target, "w", encoding="utf-8") as file:
    json.dump({"transformers": transformers.__version__, "tokenizers": ids}, file)
