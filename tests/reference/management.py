"""Makes management.json: what a FastAPI service of the same routes answers.

    python3 -m venv /tmp/reference && /tmp/reference/bin/pip install fastapi httpx
    /tmp/reference/bin/python tests/reference/management.py > tests/reference/management.json

The service below knows the event streams 1 and 2. Of each answer the table keeps the status, the
body and the location; `Allow` is left out, because Starlette names the methods of one route only.
"""
import json
import platform

import fastapi
import pydantic
from fastapi import FastAPI, HTTPException, Response
from fastapi.testclient import TestClient
from pydantic import BaseModel, Field

app = FastAPI()
ITEMS = {
    1: {"id": 1, "location": "ws://localhost:8080/event-stream/u-1", "routing_key": "abc"},
    2: {"id": 2, "location": "ws://localhost:8080/event-stream/u-2", "routing_key": "grüße \" 日"},
}


class Creation(BaseModel):
    routing_key: str = Field(min_length=1)


@app.get("/event-stream/version/")
def version():
    return {"protocol": "WEBSOCKET", "name": "ess", "version": "4.0.0"}


@app.get("/event-stream/")
def items():
    return {"event_streams": list(ITEMS.values())}


@app.post("/event-stream/", status_code=201)
def create(creation: Creation):
    return {"id": 3, "location": "ws://localhost:8080/event-stream/u-3"}


@app.delete("/event-stream/{es_id}", status_code=204)
def delete(es_id: int):
    if es_id not in ITEMS:
        raise HTTPException(404, f"EventStream {es_id} is not known")
    return Response(status_code=204)


# Only which ids are refused is compared: the reference has no such request.
@app.get("/event-stream/{es_id}")
def show(es_id: int):
    if es_id not in ITEMS:
        raise HTTPException(404, f"EventStream {es_id} is not known")
    return {}


LIST = "/event-stream/"
JSON = {"content-type": "application/json"}


def kind(value):
    return {"content-type": value}


def bodies():
    """Bodies of a creation, as JSON."""
    yield from [
        '{"routing_key":"abc"}', '{"routing_key":"abc","more":[1]}', ' {"routing_key" : "a"} \n',
        '{"routing_key":"\\u00e9\\ud83d\\ude00\\n"}', '{"routing_key":"é"}', "{}", '{"a":1,"b":"é"}',
        '{"routing_key":null}', '{"routing_key":1}', '{"routing_key":1.5}', '{"routing_key":true}',
        '{"routing_key":["a",{"b":null}]}', '{"routing_key":{}}', '{"routing_key":""}',
        '{"routing_key":1,"routing_key":"a"}', '{"routing_key":"a","routing_key":1}',
        '{"a":1,"b":2,"a":3}', '{"routing_key":123456789012345678901234567890}',
        '{"routing_key":-0}', '{"Routing_Key":"abc"}', "[]", '["routing_key"]', '"abc"', '"é\\n"', "1",
        "-1.5", "true", "false", "null", "", " ", "\n", "abc", "nul", "tru", "{", "[", "}", "]",
        '{"', '{"a', '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', '{"a" 1}', '{"a":}',
        '{"a":1 "b":2}', '{a:1}', "{'a':1}", "{,}", "{1:2}", "[1", "[1,", "[1,]", "[,1]", "[1 2]",
        "[}", '"', '"abc', '"a\nb"', '"a\tb"', '"\\', '"\\x"', '"\\u', '"\\u12"', '"\\u12g4"',
        '"\\u 123"', '"\\u+123"', '"\\u1_23"', '"\\ud83d\\u12"',
        '"é\\q"', "01", "1.", "1.e5", ".5", "+1", "-", "--1", "1e", "1e+", "1e5x", "-a", "0x10",
        "1 2", "{} {}", "{}x", "[]]", '{"routing_key":"abc"}\0', '"a" é', "é", '{"é":1 x}', "\ufeff{}",
        '{"routing_key":"abc"', '{"routing_key":"abc}', '{"routing_key":abc}', "\v{}", "\u00a0{}",
        "//", '{"a":nan}', '{"a":Nan}', '{"a":Infinit}', '{"a":-Infinit}', "\x00", "😀", '"😀\\q"',
    ]


def requests():
    for body in bodies():
        yield "POST", LIST, JSON, body
    good = '{"routing_key":"abc"}'
    for value in [
        "application/json; charset=utf-8", "application/JSON", "Application/json;charset=latin-1",
        "application/vnd.x+json", "application/problem+json; a=b", "application/json ; x",
        "text/json", "text/plain", "application/x-www-form-urlencoded", "application/jsonx",
        "application/xml", "application/", "application", "json", "", "application/json, text/plain",
        "application / json", "application/json+xml", "multipart/form-data; boundary=x",
        "application/x-ndjson", "image/svg+json", "application/+json", "application/json/x",
        '"application/json"', "application/json\t; a=b",
    ]:
        yield "POST", LIST, kind(value), good
    yield "POST", LIST, {}, good
    yield "POST", LIST, {}, ""
    yield "POST", LIST, {}, " "
    yield "POST", LIST, kind("text/plain"), ""
    yield "POST", LIST, kind("text/plain"), 'grüße "\\\n\t\x01\x7f'
    for es_id in [
        "1", "2", "3", "0", "-1", "+1", "01", "1.0", "1.5", "1.", "1e0", "0x1", "1_0", "_1", "1_",
        "1__0", "%201", "1%20", "%091%0A", "%31", "abc", "a%20b", "%C3%A9", "%FF", "1a", "-", "+",
        "--1", "-0", "+0", "00", "1.00", "-1.0", ".0", "0.0", "1.0_0", "9223372036854775807",
        "9223372036854775808", "-9223372036854775809", "123456789012345678901234567890", "true",
        "999999", "%D9%A1", "1,0", "1%2B", "%22", "%5C", "nan", "-01", "- 1", "+-1", "1 1", "version",
        "0001_000", "0_1", "%C2%A01",
    ]:
        for method in ["DELETE", "GET"]:
            if not (method == "GET" and es_id == "version"):
                yield method, LIST + es_id, {}, ""
    for method in ["GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"]:
        for path in ["/event-stream", LIST, "/event-stream/version/", "/event-stream/2/", "/",
                     "/event-stream//", "/event-stream/2//", "/event-streams/", "/event-stream/1/x",
                     "/event-stream/version/x", "//event-stream/", "/Event-Stream/", "",
                     "/event-stream/version//", "/event-stream///"]:
            yield method, path, {}, ""
    yield "PUT", "/event-stream/abc", {}, ""
    yield "GET", "/event-stream?a=b&c=%20", {}, ""
    yield "GET", "/event-stream/2/?a=b", {}, ""
    yield "GET", "/event-stream/?a=b", {}, ""
    yield "GET", "/event-stream/a%20b/", {}, ""
    yield "GET", "/event-stream/a%22/", {}, ""
    yield "GET", "/event-stream?", {}, ""


def main():
    client = TestClient(app, base_url="http://h:81", follow_redirects=False,
                        raise_server_exceptions=False)
    rows, seen = [], set()
    for method, target, headers, body in requests():
        answer = client.request(method, "http://h:81" + target, headers=headers,
                                content=body.encode() or None)
        # What was sent: httpx encodes what can't stand in a target.
        target = answer.request.url.raw_path.decode()
        row = {"method": method, "target": target, "headers": headers, "body": body,
               "status": answer.status_code, "answer": answer.text}
        if "location" in answer.headers:
            row["location"] = answer.headers["location"]
        key = json.dumps(row)
        if key not in seen:
            seen.add(key)
            rows.append(row)
    made_by = {"python": platform.python_version(), "fastapi": fastapi.__version__,
               "pydantic": pydantic.__version__}
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    print(f'{{"made_by":{json.dumps(made_by)},"rows":[\n{lines}\n]}}')


main()
