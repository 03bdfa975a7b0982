"""Makes the CUDA build of torch importable without the CUDA libraries, which are 2.5 GB.

    python cuda_stubs.py SITE_PACKAGES

torch binds its functions lazily. The loader only needs a library of each name, with the version nodes and the symbols
that torch refers to. This writes such libraries; their functions return cudaErrorNoDevice, so that torch uses the
processor. Needs gcc and readelf.
"""

import collections
import pathlib
import re
import runpy
import subprocess
import sys
import tempfile

NO_DEVICE = 100

# Functions that torch calls on a machine without a GPU, with what the real library does there.
BODIES = {
    "cudaGetDevice": "int cudaGetDevice(int *d) { if (d) *d = 0; return 0; }",
    "cudaGetDeviceCount": "int cudaGetDeviceCount(int *n) { if (n) *n = 0; return 100; }",
    "cudaGetLastError": "int cudaGetLastError(void) { return 0; }",
    "cudaPeekAtLastError": "int cudaPeekAtLastError(void) { return 0; }",
    "cudaStreamIsCapturing": "int cudaStreamIsCapturing(void *s, int *t) { if (t) *t = 0; return 0; }",
    "cudaThreadExchangeStreamCaptureMode": "int cudaThreadExchangeStreamCaptureMode(int *m) { return 0; }",
    "cudaGetDriverEntryPoint": "int cudaGetDriverEntryPoint(const char *s, void **f, unsigned long long l, int *q)"
    " { if (f) *f = 0; if (q) *q = 1; return 0; }",
    "cudaGetDriverEntryPointByVersion": "int cudaGetDriverEntryPointByVersion(const char *s, void **f, unsigned v,"
    " unsigned long long l, int *q) { if (f) *f = 0; if (q) *q = 1; return 0; }",
    "cudaDriverGetVersion": "int cudaDriverGetVersion(int *v) { if (v) *v = 0; return 0; }",
    "cudaRuntimeGetVersion": "int cudaRuntimeGetVersion(int *v) { if (v) *v = 13000; return 0; }",
}

# Names of functions that return text.
TEXT = re.compile(r"[gG]et(Error|Status)(String|Name)$")
# Libraries of the system, and version nodes of theirs.
SYSTEM = re.compile(r"^(libc|libm|libdl|librt|libpthread|libstdc\+\+|libgcc_s|libgomp|ld-linux.*)\.so")
SYSTEM_NODE = re.compile(r"^(GLIBC|GLIBCXX|CXXABI|GCC|GOMP|OMP|LIBC)")
# Functions of CUDA libraries that have no version node.
CUDA = re.compile(
    r"^_*(cu[A-Z]|cu(da|blas|dnn|fft|rand|sparse|solver|pti|file)|nccl|nvshmem|nvrtc|nvtx|nvJitLink|nvml)"
)


def readelf(option, library):
    return subprocess.run(["readelf", "-W", option, library], check=True, capture_output=True, text=True).stdout


def references(libraries):
    """The libraries that torch needs, and by version node the names that it does not define itself."""
    needed, defined, wanted = set(), set(), collections.defaultdict(set)
    for library in libraries:
        needed |= set(re.findall(r"\(NEEDED\).*\[(.+?)\]", readelf("-d", library)))
        for line in readelf("--dyn-syms", library).splitlines():
            fields = line.split()
            if len(fields) < 8 or not fields[0].endswith(":"):
                continue
            name, _, node = fields[7].partition("@")
            if fields[6] == "UND":
                wanted[node.lstrip("@")].add(name)
            else:
                defined.add(name)
    own = {library.name for library in libraries}
    missing = sorted(name for name in needed if name not in own and not SYSTEM.match(name))
    return missing, defined, wanted


def assign(missing, defined, wanted):
    """The names of each library to write, by version node."""
    names = {library: collections.defaultdict(set) for library in missing}
    for node, symbols in wanted.items():
        if SYSTEM_NODE.match(node):
            continue
        if node:
            stem = re.sub(r"\.so.*$", "", node).lower()
            starts = (stem + ".so", "lib" + stem)
            owner = next((library for library in missing if library.lower().startswith(starts)), missing[0])
            names[owner][node] |= symbols
        else:
            names[missing[0]][""] |= {name for name in symbols if name not in defined and CUDA.match(name)}
    return names


def body(name):
    if name in BODIES:
        return BODIES[name]
    if TEXT.search(name):
        return f'const char *{name}(int e) {{ return "no CUDA device"; }}'
    return f"int {name}(void) {{ return {NO_DEVICE}; }}"


def compile_stub(out, library, nodes):
    with tempfile.TemporaryDirectory() as folder:
        source, versions = pathlib.Path(folder, "stub.c"), pathlib.Path(folder, "stub.map")
        marker = "int stub_of_" + re.sub(r"\W", "_", library) + "(void) { return 0; }"
        functions = [body(name) for name in sorted(set().union(*nodes.values()))]
        source.write_text("\n".join([*functions, marker, ""]))
        scripts = [f"{node} {{ global: {' '.join(n + ';' for n in sorted(names))} }};" for node, names in nodes.items() if node]
        command = ["gcc", "-shared", "-fPIC", "-w", "-O0", "-fno-builtin", f"-Wl,-soname,{library}", "-o", out / library, source]
        if scripts:
            versions.write_text("\n".join(scripts))
            command.append(f"-Wl,--version-script={versions}")
        subprocess.run(command, check=True)
        print(f"{library}: {len(functions)} functions")


def main():
    packages = pathlib.Path(sys.argv[1])
    version = runpy.run_path(str(packages / "torch/version.py"))["cuda"]
    if version is None:
        return  # a build for processors
    out = packages / "nvidia" / f"cu{version.split('.')[0]}" / "lib"
    out.mkdir(parents=True, exist_ok=True)
    missing, defined, wanted = references(sorted((packages / "torch/lib").glob("*.so*")))
    for library, nodes in assign(missing, defined, wanted).items():
        compile_stub(out, library, nodes)


main()
