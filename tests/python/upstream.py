"""Prints, as JSON, the facts of an installed official SDK that a client depends on: routes, flags, fields of messages, the
protobuf descriptor, public methods with their parameters, and constants of retry and polling. The SDK is read, not imported.
"""

import ast
import importlib.metadata
import importlib.util
import json
import re
from pathlib import Path


def tree(path):
    return ast.parse(path.read_text())


def files(root):
    return [path for path in sorted(root.rglob("*.py")) if not path.name.endswith("_test.py")]


def route(node):
    """The path of a route, with `{}` for each part that varies."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        return "".join(str(part) for part in parts)
    return ""


def routes(root):
    """Every path below /api/v1, with the methods of the calls that it is an argument of."""
    found = {}
    for path in files(root):
        for call in ast.walk(tree(path)):
            if not isinstance(call, ast.Call):
                continue
            name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
            words = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
            name = name.lstrip("_")
            verb = name if name in ("get", "post", "put", "delete", "patch") else ""
            verb = next((word for word in words if word in ("GET", "POST", "PUT", "DELETE")), verb).upper()
            for argument in call.args:
                text = route(argument)
                if verb and text.startswith("/api/v1/"):
                    found[f"{verb} {text.removeprefix('/api/v1/')}"] = ""
    return found


def classes(path):
    return [node for node in tree(path).body if isinstance(node, ast.ClassDef)]


def fields(node):
    annotated = (item for item in node.body if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name))
    return {
        item.target.id: ast.unparse(item.annotation) + (f" = {ast.unparse(item.value)}" if item.value else "")
        for item in annotated
        if item.target.id != "model_config"
    }


def messages(root):
    found = {}
    for path in files(root / "types"):
        for node in classes(path):
            for name, value in fields(node).items():
                found[f"{node.name}.{name}"] = value
    return found


def flags(everything):
    configs = ("ClientConfigResponse.", "ClientDynamicConfigResponse.")
    return {name.split(".")[1]: value for name, value in everything.items() if name.startswith(configs)}


def methods(root):
    found = {}
    for path in files(root / "lib" / "public_interfaces"):
        for node in classes(path):
            for item in node.body:
                is_function = isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef))
                if is_function and not node.name.startswith("_") and (not item.name.startswith("_") or item.name == "__init__"):
                    found[f"{node.name}.{item.name}"] = ast.unparse(item.args)
    return found


def constants(root):
    found = {}
    for path in files(root):
        name = path.relative_to(root).as_posix()
        if not name.startswith(("_constants", "_base_client", "lib/")):
            continue
        for node in tree(path).body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            for target in targets:
                if isinstance(target, ast.Name) and re.fullmatch(r"_?[A-Z][A-Z0-9_]+", target.id) and node.value is not None:
                    found[f"{name}: {target.id}"] = ast.unparse(node.value)
        for node in classes(path):
            if node.name.endswith("Config"):
                for field, value in fields(node).items():
                    found[f"{name}: {node.name}.{field}"] = value
    return found


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def decoded(data):
    """The fields of a protobuf message: number and value, in order."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 2:
            length, at = varint(data, at)
            value, at = data[at:at + length], at + length
        else:
            size = 8 if key & 7 == 1 else 4
            value, at = data[at:at + size], at + size
        yield key >> 3, value


def message(data, prefix, found):
    parts = list(decoded(data))
    name = prefix + next(value for number, value in parts if number == 1).decode()
    for number, value in parts:
        if number == 2:
            field = dict(decoded(value))
            kind = field.get(6, b"").decode().lstrip(".").rsplit(".", 1)[-1] or str(field.get(5))
            found[f"{name}.{field[1].decode()}"] = f"{field[3]} {field.get(4, 1)} {kind}"
        if number == 3:
            message(value, f"{name}.", found)


def descriptor(root):
    found = {}
    for path in sorted((root / "proto").glob("*_pb2.py")):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "AddSerializedFile":
                for number, value in decoded(node.args[0].value):
                    if number == 4:
                        message(value, "", found)
    return found


def main():
    spec = importlib.util.find_spec("tinker")
    if spec is None or spec.origin is None:
        raise SystemExit("this Python has no package tinker; install it with pip install tinker==VERSION")
    root = Path(spec.origin).parent
    version = importlib.metadata.version("tinker")
    everything = messages(root)
    print(json.dumps({
        "version": version,
        "facts": {
            "routes": routes(root), "flags": flags(everything), "fields": everything, "descriptor": descriptor(root),
            "methods": methods(root), "constants": constants(root),
        },
    }, indent=1, sort_keys=True))


main()
