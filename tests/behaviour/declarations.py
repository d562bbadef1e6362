#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the Python package believes of brig.h against what a C compiler finds in it; and that no function is forgotten.

    declarations.py DIRECTORY-OF-GO-FILES

brig/_abi.py is generated from the header, so this would find mistakes of the generator. cgo reads the header itself.
"""
import ctypes
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

import brig
from brig import _abi

# What a language does not use, and why. A function of the header must be used or be here.
UNUSED = {
    "Python": {
        "brig_error_status": "the call itself answers it",
        "brig_runtime_ref": "objects are counted by Python",
        "brig_container_ref": "objects are counted by Python",
        "brig_process_ref": "objects are counted by Python",
        "brig_monitor_ref": "objects are counted by Python",
    },
    "Go": {
        "brig_error_status": "the call itself answers it",
        "brig_runtime_ref": "objects are counted by Go",
        "brig_container_ref": "objects are counted by Go",
        "brig_process_ref": "objects are counted by Go",
        "brig_monitor_ref": "objects are counted by Go",
        "brig_process_wait_cancelable": "Go's own poller waits, and a context ends that",
    },
}
FLAGS = shlex.split(subprocess.run(["pkg-config", "--cflags", "brig"], check=True, capture_output=True, text=True).stdout)
passed = failed = 0


def check(condition, what):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print(f"FAILED {what}")


def answers(expressions):
    """What a C program finds for these integer expressions."""
    lines = "".join(f'    printf("%lld\\n", (long long)({it}));\n' for it in expressions)
    program = f"#include <stdio.h>\n#include <brig.h>\nint main(void)\n{{\n{lines}    return 0;\n}}\n"
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "ask")
        command = ["cc", "-x", "c", "-", *FLAGS, "-o", path]
        subprocess.run(command, input=program, text=True, check=True)
        return [int(line) for line in subprocess.run([path], check=True, capture_output=True, text=True).stdout.split()]


def compare(expected):
    """A dict of C expressions, and what Python has for each."""
    for (expression, ours), theirs in zip(expected.items(), answers(expected)):
        check(ours == theirs, f"{expression} is {theirs}, not {ours}")


def header():
    """The header without comments and lines of the preprocessor."""
    command = ["cc", "-E", "-P", "-x", "c", "-", *FLAGS]
    return subprocess.run(command, input="#include <brig.h>\n", text=True, check=True, capture_output=True).stdout


def functions():
    """Each function with the types of its result and its parameters."""
    found = {}
    for result, name, parameters in re.findall(r"^([\w\s*]+?)\b(brig_\w+)\s*\(([^;]*)\);", header(), re.M):
        types = [] if parameters.strip() == "void" else [type_of(it) for it in re.split(r",(?![^(]*\))", parameters)]
        found[name] = (result.strip(), types)
    return found


def type_of(parameter):
    return re.sub(r"\b\w+$", "", " ".join(parameter.split())).strip()


def kind_of(ours):
    """A ctypes type as C would say it: its size, or that it is a pointer."""
    if ours is None:
        return "void"
    is_pointer = ours in (ctypes.c_char_p, ctypes.c_void_p) or not issubclass(ours, ctypes._SimpleCData)
    return "pointer" if is_pointer else ctypes.sizeof(ours)


def main():
    structs = {it.__doc__: it for it in vars(_abi).values() if isinstance(it, type) and issubclass(it, ctypes.Structure)
               and it is not ctypes.Structure}
    layout = {}
    for name, struct in structs.items():
        layout[f"sizeof({name})"] = ctypes.sizeof(struct)
        for field, *_ in struct._fields_:
            layout[f"offsetof({name}, {field})"] = getattr(struct, field).offset
            layout[f"sizeof((({name} *)0)->{field})"] = getattr(struct, field).size
    compare(layout)
    declared = set(re.findall(r"}\s*(brig_\w+);", header())) - {"brig_status"}
    check(declared == set(structs), f"structs: {declared ^ set(structs)}")

    constants = {name: value for name, value in vars(_abi).items() if name.startswith("BRIG_")}
    constants.update({("BRIG_OK" if it.name == "OK" else f"BRIG_ERR_{it.name}"): int(it) for it in brig.Status})
    compare(constants)
    macros = subprocess.run(["cc", "-E", "-dM", "-x", "c", "-", *FLAGS], input="#include <brig.h>\n", text=True, check=True,
                            capture_output=True).stdout
    defined = set(re.findall(r"^#define (BRIG_\w+) \d+$", macros, re.M)) - {it for it in constants if "VERSION" in it}
    defined = {it for it in defined if not it.startswith("BRIG_VERSION_")}
    enumerated = set(re.findall(r"\b(BRIG_\w+) = -?\d+", header()))
    check(defined | enumerated == set(constants), f"constants: {(defined | enumerated) ^ set(constants)}")

    found = functions()
    check(set(found) == set(_abi.FUNCTIONS), f"functions: {set(found) ^ set(_abi.FUNCTIONS)}")
    plain = sorted({it for result, types in found.values() for it in [result, *types] if "*" not in it and it != "void"})
    sizes = dict(zip(plain, answers([f"sizeof({it})" for it in plain])))
    for name, (result, types) in found.items():
        theirs = ["pointer" if "*" in it else it if it == "void" else sizes[it] for it in [result, *types]]
        ours = _abi.FUNCTIONS.get(name)
        check(ours is not None and [kind_of(it) for it in [ours[0], *ours[1]]] == theirs, f"{name}: {theirs}")

    python = "".join(it.read_text() for it in pathlib.Path(brig.__file__).parent.glob("*.py") if it.name != "_abi.py")
    # Handles are given back by the name of their kind.
    python += "".join(f'"brig_{it}_unref"' for it in re.findall(r'Handle\("(\w+)"', python))
    go = "".join(it.read_text() for it in pathlib.Path(sys.argv[1]).glob("*.go"))
    for language, text, use in (("Python", python, '"{}"'), ("Go", go, "C.{}(")):
        for name in found:
            is_used, is_listed = use.format(name) in text, name in UNUSED[language]
            check(is_used or is_listed, f"{language} does not use {name}; say why in UNUSED if it should not")
            check(not (is_used and is_listed), f"{language} uses {name}, which is listed as unused")
        check(not set(UNUSED[language]) - set(found), f"{language}: no such functions as in UNUSED")
    print(f"{passed} passed, {failed} failed")
    return failed != 0


sys.exit(main())
