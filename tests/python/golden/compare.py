"""Compares new goldens with the stored ones.

    python compare.py KEPT FRESH

Weights, adapters and inputs must be equal. Computed values may differ in the last digits, since processors and
versions of torch round differently.
"""

import json
import sys
from pathlib import Path

from safetensors.torch import load_file

ABSOLUTE, RELATIVE = 2e-5, 2e-5


def main(kept, fresh):
    names = [sorted(folder.name for folder in root.iterdir() if folder.is_dir()) for root in (kept, fresh)]
    assert names[0] == names[1], f"the models differ: {names[0]} and {names[1]}"
    for name in names[0]:
        for part in ("model", "adapter"):
            exactly(tensors(kept / name / part), tensors(fresh / name / part), f"{name}/{part}")
        cases = [json.loads((root / name / "cases.json").read_text()) for root in (kept, fresh)]
        apart = [nested(*cases, f"{name}/cases.json")]
        expected = [load_file(root / name / "expected.safetensors") for root in (kept, fresh)]
        assert expected[0].keys() == expected[1].keys(), f"{name}/expected.safetensors: the names of tensors differ"
        for tensor, values in expected[0].items():
            difference = (values - expected[1][tensor]).norm() / values.norm()
            assert difference < RELATIVE, f"{name}/expected.safetensors: {tensor} differs by {difference:.1e}"
            apart.append(float(difference))
        print(f"{name}: largest difference {max(apart):.1e}")


def tensors(folder):
    files = sorted(folder.glob("*.safetensors"))
    assert files, f"no weights in {folder}"
    return {name: tensor for file in files for name, tensor in load_file(file).items()}


def exactly(kept, fresh, place):
    assert kept.keys() == fresh.keys(), f"{place}: the names of tensors differ"
    for name, tensor in kept.items():
        assert tensor.dtype == fresh[name].dtype and tensor.equal(fresh[name]), f"{place}: {name} differs"


def nested(kept, fresh, place):
    """Largest difference between two floats of nested values; anything else must be equal."""
    if isinstance(kept, float) and isinstance(fresh, float):
        apart = abs(kept - fresh) / max(1.0, abs(kept))
        assert apart < ABSOLUTE, f"{place}: {kept} and {fresh}"
        return apart
    if isinstance(kept, dict) and isinstance(fresh, dict) and kept.keys() == fresh.keys():
        return max((nested(kept[key], fresh[key], f"{place}.{key}") for key in kept), default=0.0)
    if isinstance(kept, list) and isinstance(fresh, list) and len(kept) == len(fresh):
        return max((nested(a, b, f"{place}[{i}]") for i, (a, b) in enumerate(zip(kept, fresh))), default=0.0)
    assert kept == fresh, f"{place}: {kept!r} and {fresh!r}"
    return 0.0


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
