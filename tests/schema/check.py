# SPDX-License-Identifier: Apache-2.0
"""check.py LIBRARY: what the published JSON schema of the specification refuses, brig_spec_validate() refuses as well.

The schema is that of Debian's package golang-github-opencontainers-specs-dev, which is of a specification before 1.1;
what came later it takes for members that it does not know. Every value of good configurations is replaced by others, or
taken out. brig may be stricter, but not more lenient. Not tried are time namespaces, which that schema refuses, and null,
which is how some write "not set".
"""
import copy
import ctypes
import json
import pathlib
import sys

import jsonschema

SCHEMA = pathlib.Path("/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema")

# Where brig takes what the schema refuses, and why.
KNOWN = {
    "/linux/resources/pids": "the limit is optional since 1.3",
    "/linux/resources/pids/limit": "the limit is optional since 1.3",
    "/linux/resources/hugepageLimits/0/pageSize": "which sizes there are only the host knows, which is asked by create",
    "/linux/rootfsPropagation": "an empty text is how some write \"not set\"",
}
OTHERS = [7, -1, "x", "", [], {}]


def schema():
    """The validator. The files refer to each other by name, so none may have an id of its own."""
    files = {}
    for path in SCHEMA.glob("*.json"):
        content = json.loads(path.read_text())
        content.pop("id", None)
        files[path.as_uri()] = content
    top = (SCHEMA / "config-schema.json").as_uri()
    resolver = jsonschema.RefResolver(top, files[top], store=files)
    return jsonschema.Draft4Validator(files[top], resolver=resolver)


def library(path):
    """brig_spec_validate() as a function from a document to the mistakes in it."""
    brig = ctypes.CDLL(path)
    brig.brig_string_free.argtypes = [ctypes.c_void_p]

    def mistakes(document):
        out = ctypes.c_void_p()
        status = brig.brig_spec_validate(json.dumps(document).encode(), ctypes.byref(out), None)
        assert status == 0, status
        text = ctypes.string_at(out)
        brig.brig_string_free(out)
        return json.loads(text)

    return mistakes


def places(value, at=""):
    """All places below `value`, and each as the keys that lead to it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    for key, inner in items:
        yield at + "/" + str(key).replace("~", "~0").replace("/", "~1"), (key,)
        for pointer, keys in places(inner):
            yield at + "/" + str(key).replace("~", "~0").replace("/", "~1") + pointer, (key, *keys)


def variants(whole):
    """The document with one place changed, each way."""
    for pointer, keys in places(whole):
        for other in [None, *OTHERS]:
            document = copy.deepcopy(whole)
            parent = document
            for key in keys[:-1]:
                parent = parent[key]
            if other is None:
                del parent[keys[-1]]
            else:
                parent[keys[-1]] = other
            yield pointer, other, document


def main():
    schema_of, mistakes = schema(), library(sys.argv[1])
    passed, failures, stricter = 0, [], 0
    for path in sorted(pathlib.Path("fuzz/seeds").glob("*.json")):
        whole = json.loads(path.read_text())
        linux = whole["linux"]
        linux["namespaces"] = [namespace for namespace in linux["namespaces"] if namespace["type"] != "time"]
        linux.pop("timeOffsets", None)
        for judge, what in [(mistakes(whole), "brig"), (list(schema_of.iter_errors(whole)), "the schema")]:
            if judge:
                failures.append(f"{path}: {what} refuses it: {judge[0]}")
        for pointer, other, document in variants(whole):
            refused, found = not schema_of.is_valid(document), bool(mistakes(document))
            stricter += found and not refused
            if not refused or found or pointer in KNOWN:
                passed += 1
            else:
                failures.append(f"{path.name}: {pointer} = {'nothing' if other is None else json.dumps(other)}")
    print(*failures, sep="\n", file=sys.stderr)
    print(f"brig is stricter {stricter} times", file=sys.stderr)
    print(f"{passed} passed, {len(failures)} failed")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
