# SPDX-License-Identifier: Apache-2.0
"""features.py SCHEMA FILE: whether the features in FILE, which `brig features` wrote, are what the published JSON schema
in the directory SCHEMA says, and have every member that the schema knows.

Debian has that schema in golang-github-opencontainers-specs-dev, since version 1.1 of the specification.
"""
import json
import pathlib
import sys

import jsonschema

TOP = "features-schema.json"


def main():
    directory, path = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    # They refer to each other by name, so none may have an id of its own.
    files = {}
    for file in directory.glob("*.json"):
        content = json.loads(file.read_text())
        content.pop("id", None)
        files[file.as_uri()] = content
    top = (directory / TOP).as_uri()
    resolver = jsonschema.RefResolver(top, files[top], store=files)
    features = json.loads(path.read_text())
    errors = list(jsonschema.Draft4Validator(files[top], resolver=resolver).iter_errors(features))
    for error in errors:
        print(f"{path}: /{'/'.join(map(str, error.path))}: {error.message}", file=sys.stderr)
    linux = files[(directory / "features-linux.json").as_uri()]["linux"]["properties"]
    missing = [f"/{name}" for name in files[top]["properties"] if name not in features]
    missing += [f"/linux/{name}" for name in linux if name not in features.get("linux", {})]
    for pointer in missing:
        print(f"{path}: {pointer} is missing", file=sys.stderr)
    print(f"{path}: {'no ' if not errors + missing else ''}mistakes by {directory / TOP}")
    return bool(errors or missing)


if __name__ == "__main__":
    sys.exit(main())
