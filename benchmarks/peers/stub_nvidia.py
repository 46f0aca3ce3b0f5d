#!/usr/bin/env python3
"""Stand-ins for the NVIDIA libraries that PyPI's torch is linked to and that a CPU never uses.

    PEERS/bin/python benchmarks/peers/stub_nvidia.py

PyPI's torch for Linux on x86-64 is built for CUDA and cannot be imported without a dozen NVIDIA libraries, though none
of their functions runs without a GPU. For each one that is not installed a library of the same name is compiled into
torch's own folder. It has the symbols that torch asks for, in the versions that it asks for; every function returns 1,
an error in all of these libraries. The small CUDA runtime (libcudart) is the real one: torch calls it while it loads.
"""
import importlib.util
import pathlib
import re
import subprocess
import sys
import tempfile

SYSTEM = re.compile(r"^(ld-linux|lib(c|m|dl|rt|pthread|util|gcc_s|stdc\+\+|z|quadmath|cuda)\.so)")


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def needed(library):
    return re.findall(r"^\s+NEEDED\s+(\S+)", output("objdump", "-p", library), re.M)


def versions(library):
    """{symbol version: library that must have it}"""
    found, source = {}, None
    for line in output("objdump", "-p", library).splitlines():
        if match := re.match(r"\s+required from (\S+):", line):
            source = match[1]
        elif (match := re.match(r"\s+0x\w+ 0x\w+ \d+ (\S+)", line)) and source:
            found[match[1]] = source
    return found


def undefined(library):
    """[(symbol, version or '')] that another library must have; weak ones may be missing."""
    lines = output("nm", "-D", "--undefined-only", library).splitlines()
    return [(name, version) for kind, symbol in (line.split()[-2:] for line in lines) if kind == "U"
            for name, _, version in [symbol.partition("@")]]


def defined(library):
    return {line.split()[-1].split("@")[0] for line in output("nm", "-D", "--defined-only", library).splitlines()}


def compile_stub(path, symbols):
    """symbols: {version or '': names}"""
    with tempfile.TemporaryDirectory() as folder:
        source, script = pathlib.Path(folder, "stub.s"), pathlib.Path(folder, "stub.map")
        labels = "".join(f".globl {name}\n.type {name}, @function\n{name}:\n" for names in symbols.values() for name in sorted(names))
        source.write_text(f'.text\n{labels}\tmov $1, %eax\n\tret\n.section .note.GNU-stack,"",@progbits\n')
        script.write_text("".join(f"{version} {{ global: {''.join(f'{name};' for name in sorted(names)) or '*;'} }};\n"
                                  for version, names in symbols.items()))
        subprocess.run(["g++", "-shared", "-nostdlib", f"-Wl,-soname,{path.name},--version-script,{script}", str(source), "-o", str(path)],
                       check=True)


def main():
    torch = pathlib.Path(importlib.util.find_spec("torch").origin).parent
    libraries = sorted((torch / "lib").glob("*.so"))
    present = {path.name for path in (torch / "lib").iterdir()} | {path.name for path in (torch.parent / "nvidia").rglob("*.so*")}
    missing = sorted({name for library in libraries for name in needed(library)
                      if name not in present and not SYSTEM.match(name)})
    own = set().union(*(defined(library) for library in libraries))
    symbols = {name: {} for name in missing}
    unversioned = set()
    for library in libraries:
        source = versions(library)
        for name, version in undefined(library):
            if not version and name not in own:
                unversioned.add(name)
            elif source.get(version) in symbols:
                symbols[source[version]].setdefault(version, set()).add(name)
    for name in missing:
        if not symbols[name]:  # a library without versions: which of these symbols are its own is not said anywhere
            symbols[name][""] = unversioned
        compile_stub(torch / "lib" / name, symbols[name])
    print("stub_nvidia: stand-ins for", ", ".join(missing) if missing else "nothing")


if __name__ == "__main__":
    sys.exit(main())
