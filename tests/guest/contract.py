# SPDX-License-Identifier: GPL-2.0-only
"""JSON lines against the contract, as `kcanary schema` prints it; more strictly than a reader should
be: what the contract does not know is an error, too."""
import copy
import functools
import json
import os
import subprocess

import jsonschema

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def closed(schema):
    """The same, in which every object has no members but those named."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: value if key == "if" else closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema and "allOf" not in schema:
        schema.setdefault("additionalProperties", False)
    return schema


@functools.cache
def validators():
    """By type of line."""
    contract = json.loads(subprocess.run([os.path.join(TOP, "build/kcanary"), "schema"], check=True,
                                         stdout=subprocess.PIPE).stdout)
    jsonschema.Draft202012Validator.check_schema(contract)
    defs = closed(copy.deepcopy(contract["$defs"]))
    return {then["if"]["properties"]["type"]["const"]:
            jsonschema.Draft202012Validator({"$ref": then["then"]["$ref"], "$defs": defs})
            for then in contract["allOf"]}


def breach(line):
    """What is wrong with it, as a sentence; or None."""
    validator = validators().get(line.get("type"))
    if not validator:
        return f"no line of the contract: {line.get('type')}"
    error = next(validator.iter_errors(line), None)
    return error and f"{line['type']} at /{'/'.join(map(str, error.absolute_path))}: {error.message}"
