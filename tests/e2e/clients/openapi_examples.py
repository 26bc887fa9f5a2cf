"""Asks a running service every example of its OpenAPI description and compares the answers.

usage: openapi_examples.py URL

Status, content type and shape have to be those that are documented, and every body has to fit its
schema; an error has to be the very one that is shown. Creations come first, deletions last. Prints
one line an example; exits 1 when one is not so.
"""

import json
import sys
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

SHOWN_HOST = "localhost:8081"


def ask(base, method, request):
    """Status, media type and body of the answer."""
    body = request.get("body")
    asked = urllib.request.Request(
        base + request["target"],
        method=method,
        headers=request.get("headers", {}),
        data=None if body is None else body.encode(),
    )
    try:
        answer = urllib.request.urlopen(asked, timeout=60)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, answer.headers.get_content_type(), answer.read()


def shape(value):
    """What stays of a value when its numbers and texts may differ."""
    if isinstance(value, dict):
        return {name: shape(member) for name, member in sorted(value.items())}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return type(value).__name__


def without_shards(value):
    """Parts and lists that have one member for each shard are as long as there are shards."""
    if isinstance(value, dict):
        value = {
            name: without_shards(member)
            for name, member in value.items()
            if not name.startswith("shard ")
        }
        if isinstance(value.get("shards"), list):
            value["shards"] = value["shards"][:1]
    elif isinstance(value, list):
        value = [without_shards(item) for item in value]
    return value


def examples(description):
    """Operation, status, documented content, name, the answer shown (or None), how it is asked for."""
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            for status, response in operation["responses"].items():
                content = response.get("content", {})
                shown = content.get("application/json", {}).get("examples", {})
                for name, example in shown.items():
                    yield (method.upper(), path), int(status), content, name, example["value"], example["x-request"]
                for request in response.get("x-requests", []):
                    yield (method.upper(), path), int(status), content, request["target"], None, request


def fault_of(base, validators, example):
    """What is wrong with the answer, or None."""
    (method, _), status, content, _, shown, request = example
    got_status, media_type, body = ask(base, method, request)
    if got_status != status:
        return f"{got_status} instead of {status}: {body[:300]!r}"
    if not content:
        return f"a body where none is documented: {body[:300]!r}" if body else None
    if media_type not in content:
        return f"{media_type} instead of {', '.join(content)}"
    if media_type != "application/json":
        return None if body else "no body"
    value = json.loads(body)
    errors = list(validators(content[media_type]["schema"]).iter_errors(value))
    if errors:
        return "; ".join(f"{error.json_path}: {error.message}" for error in errors)
    if shown is None:
        return None
    host = urlsplit(base).netloc
    if status >= 400 and json.loads(body.decode().replace(host, SHOWN_HOST)) != shown:
        return f"{body.decode()} instead of {json.dumps(shown)}"
    got, wanted = shape(without_shards(value)), shape(without_shards(shown))
    return None if got == wanted else f"the shape of {body.decode()} is not that of {json.dumps(shown)}"


def main():
    base = sys.argv[1].rstrip("/")
    status, _, body = ask(base, "GET", {"target": "/openapi.json"})
    assert status == 200, status
    description = json.loads(body)
    root = "urn:openapi"
    registry = Registry().with_resource(
        root, Resource.from_contents({"$schema": "https://json-schema.org/draft/2020-12/schema", **description})
    )

    def validators(schema):
        # References are to the whole description.
        return Draft202012Validator(json.loads(json.dumps(schema).replace('"#/', f'"{root}#/')), registry=registry)

    def turn(example):
        (method, _), status, *_ = example
        # What creates goes first, what deletes last; in between the successes come first.
        return {"POST": 0, "DELETE": 2}.get(method, 1), status == 204, example[5]["target"].count("/"), status

    all_examples = sorted(examples(description), key=turn)
    faults = 0
    for example in all_examples:
        fault = fault_of(base, validators, example)
        faults += fault is not None
        (method, _), status, _, name, _, request = example
        print(f"{method} {request['target']} {status} ({name}): {fault or 'as documented'}")
    documented = {(method.upper(), path) for path, methods in description["paths"].items() for method in methods}
    without = documented - {operation for operation, *_ in all_examples}
    print(f"{len(all_examples)} examples, {faults} wrong; operations without: {sorted(without) or 'none'}")
    sys.exit(1 if faults or without else 0)


if __name__ == "__main__":
    main()
