"""Loss functions as graphs for upload."""

import math
import operator

import torch
import torch.fx

MODULES = {"_operator": "operator", "torch._C._nn": "torch.nn.functional", "torch._C._special": "torch.special"}


def trace(loss, ranks):
    """Fields of a `create_custom_loss` request for a function of log probabilities and named inputs."""
    nodes = [wire(node) for node in torch.fx.symbolic_trace(loss).graph.nodes]
    inputs = [{"name": name, "rank": rank} for name, rank in ranks.items()]
    return {"name": loss.__name__, "inputs": inputs, "graph": {"format": 1, "nodes": nodes}}


def wire(node):
    target = node.target if isinstance(node.target, str) else qualified(node.target)
    return {
        "op": node.op,
        "name": node.name,
        "target": target,
        "args": [encode(arg) for arg in node.args],
        "kwargs": {name: encode(arg) for name, arg in node.kwargs.items()},
    }


def qualified(function):
    if getattr(torch, function.__name__, None) is function:
        return f"torch.{function.__name__}"
    module = MODULES.get(function.__module__, function.__module__)
    assert module.split(".")[0] in ("torch", "math", "operator"), function
    return f"{module}.{function.__name__}"


def encode(arg):
    if isinstance(arg, torch.fx.Node):
        return {"ref": arg.name}
    if isinstance(arg, tuple):
        return {"tuple": [encode(item) for item in arg]}
    if isinstance(arg, list):
        return [encode(item) for item in arg]
    if isinstance(arg, dict):
        return {"dict": {name: encode(item) for name, item in arg.items()}}
    if isinstance(arg, slice):
        return {"slice": [encode(arg.start), encode(arg.stop), encode(arg.step)]}
    if arg is Ellipsis:
        return {"ellipsis": True}
    if isinstance(arg, float) and not math.isfinite(arg):
        return {"float": str(arg)}
    assert arg is None or isinstance(arg, (bool, int, float, str)), arg
    return arg
