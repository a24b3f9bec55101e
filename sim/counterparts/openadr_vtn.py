"""Shell: a VTN of OpenADR 3 over HTTP, in a process of its own: `python -m sim.counterparts.openadr_vtn`.

It prints {"port": n} and then answers one JSON command per line of standard input: {"put": {"programs": [..]}},
{"put": {"events": [..]}} (with an id: in place of what has it), {"raw": {"events": [..]}} (the same, unchecked),
{"delete": {"events": [id]}}, {"fault": name, "times": n} (for n requests, or until another), {"expire": true}
(tokens), {"see": "reports"}, {"see": "requests"}, {"reset": true}. It ends with its standard input. Its API lies under
/openadr3/3.0.1, or /openadr3/3.1.0 with --version 3.1; --check holds all that it says and hears against the schema.

Faults: slow (no answer for SLOW_S), garbage (no JSON), object (where a list belongs), huge (more than is read), denied
(401), forbidden (403), down (503), away (a redirect), ignores-skip (each page is the first), short-pages (of three),
empty (no objects), forgets-events (in lists), drip (a byte at a time, for ever).
"""

import argparse
import json
import ssl
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

SLOW_S = 3.0
SHORT_PAGE = 3
PAGE = 50
HUGE_BYTES = 3 * 1024 * 1024
SPOILING = ("slow", "garbage", "object", "huge", "denied", "forbidden", "down", "away", "drip")
FAULTS = (*SPOILING, "ignores-skip", "short-pages", "empty", "forgets-events")
KINDS = {
    "programs": "program",
    "events": "event",
    "reports": "report",
    "vens": "ven",
    "resources": "resource",
}
CLIENT = ("ven-client", "ven-secret")


class Checker:
    """The published schema; without `--check` everything passes."""

    def __init__(self, on: bool, version: str) -> None:
        self._checks: dict[str, Callable[[Any], None]] = {}
        self._payloads: dict[str, Any] = {}
        if not on:
            return
        import jsonschema_rs

        schema = json.loads((Path(__file__).parent / "openadr3.schema.json").read_text("utf-8"))
        definitions = schema["$defs"]
        if version == "3.1":  # targets are words, and a report names its event alone (change log of 3.1.0)
            words = {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]}
            for definition in definitions.values():
                if "targets" in definition.get("properties", {}):
                    definition["properties"]["targets"] = words
            definitions["report"]["required"].remove("programID")
        for name in definitions:
            whole = {"$schema": schema["$schema"], "$defs": definitions, "$ref": f"#/$defs/{name}"}
            self._checks[name] = jsonschema_rs.validator_for(whole, validate_formats=True).validate
        for name, payload in schema["payloads"].items():
            self._payloads[name] = jsonschema_rs.validator_for(payload).validate

    def check(self, what: str, value: Any) -> None:
        """Raise ValueError where the schema says otherwise."""
        if what in self._checks:
            self._checks[what](value)
        resources = value.get("resources") or [] if what == "report" else []
        for interval in (value.get("intervals") or []) + [
            each for one in resources for each in one["intervals"]
        ]:
            for payload in interval["payloads"]:
                if payload["type"] in self._payloads:
                    self._payloads[payload["type"]](payload["values"])


class Vtn:
    """What the VTN keeps."""

    def __init__(self, checker: Checker, version: str, token_s: int) -> None:
        self.base = "/openadr3/3.0.1" if version == "3.0" else "/openadr3/3.1.0"
        self.lock = threading.Lock()
        self.checker = checker
        self.token_s = token_s
        self.objects: dict[str, dict[str, Any]] = {}
        self.requests: list[str] = []
        self.problems: list[str] = []
        self.fault, self.times = "", 0
        self.tokens: set[str] = set()
        self._made = 0
        self.forget()

    def obey(self, command: dict[str, Any]) -> dict[str, Any]:
        """Do what one command says."""
        with self.lock:
            if command.get("reset"):
                self.forget()
            if "fault" in command:
                if command["fault"] and command["fault"] not in FAULTS:
                    raise ValueError(f"no fault {command['fault']}; there are {', '.join(sorted(FAULTS))}")
                self.fault, self.times = command["fault"], int(command.get("times", -1))
            for kind, values in command.get("put", {}).items():
                for value in values:
                    self.add(kind, value)
            for kind, values in command.get("raw", {}).items():
                self.objects[kind] |= {value["id"]: value for value in values}
            for kind, ids in command.get("delete", {}).items():
                for identity in ids:
                    self.objects[kind].pop(identity, None)
            if command.get("expire"):
                self.tokens.clear()
            seen = command.get("see")
            if seen == "requests":
                return {"requests": list(self.requests), "problems": list(self.problems)}
            return {} if seen is None else {seen: list(self.objects[seen].values())}

    def forget(self) -> None:
        """Begin again."""
        self.objects = {kind: {} for kind in KINDS}
        self.requests, self.problems, self.tokens = [], [], set()
        self.fault, self.times = "", 0

    def add(self, kind: str, value: dict[str, Any]) -> dict[str, Any]:
        """Keep an object, with what a VTN adds to it."""
        self._made += 1
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        before = self.objects[kind].get(value.get("id", ""), {})
        whole = {
            "id": f"{KINDS[kind]}-{self._made}",
            "createdDateTime": before.get("createdDateTime", now),
            **value,
            "modificationDateTime": now,
            "objectType": KINDS[kind].upper(),
        }
        self.checker.check(KINDS[kind], whole)
        self.objects[kind][whole["id"]] = whole
        return whole

    def token(self) -> dict[str, Any]:
        """A new access token."""
        self._made += 1
        self.tokens.add(f"token-{self._made}")
        answer = {"access_token": f"token-{self._made}", "token_type": "Bearer", "expires_in": self.token_s}
        self.checker.check("clientCredentialResponse", answer)
        return answer

    def take_fault(self) -> str:
        """The fault of this request."""
        if self.times == 0:
            return ""
        self.times -= 1
        return self.fault


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    def __init__(self, vtn: Vtn, *arguments: Any) -> None:
        self._vtn = vtn
        super().__init__(*arguments)

    def log_message(self, *arguments: Any) -> None:
        """Nothing: standard error is for faults of ours."""

    def do_GET(self) -> None:
        """A search, or one object."""
        self._serve(b"")

    def do_POST(self) -> None:
        """A new object, or a token."""
        self._serve(self.rfile.read(int(self.headers.get("content-length", 0))))

    def _serve(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        vtn = self._vtn
        with vtn.lock:
            place = parts.path.removeprefix(vtn.base).strip("/")
            vtn.requests.append(f"{self.command} {place}")
            fault = "" if place.startswith("auth") else vtn.take_fault()
        if not parts.path.startswith(vtn.base):
            self._problem(404, "Not Found")
        elif fault and self._spoil(fault):
            return
        elif place == "auth/server":
            self._say(200, {"tokenURL": f"http://{self.headers['host']}{vtn.base}/auth/token"})
        elif place == "auth/token":
            self._grant(parse_qs(body.decode()))
        elif self.headers.get("authorization", "").removeprefix("Bearer ") not in vtn.tokens:
            self._problem(401, "Unauthorized")
        else:
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            with vtn.lock:
                status, answer = self._answer(place.split("/"), query, body, fault)
            self._say(status, answer)

    def _grant(self, form: dict[str, list[str]]) -> None:
        asked = {name: values[0] for name, values in form.items()}
        try:
            self._vtn.checker.check("clientCredentialRequest", asked)
        except ValueError as error:
            self._vtn.problems.append(str(error))
        if (asked.get("client_id"), asked.get("client_secret")) != CLIENT:
            self._say(401, {"error": "invalid_client", "error_description": "Who are you?"})
            return
        with self._vtn.lock:
            self._say(200, self._vtn.token())

    def _answer(self, path: list[str], query: dict[str, str], body: bytes, fault: str) -> tuple[int, Any]:
        vtn = self._vtn
        if len(path) == 3:  # vens/{venID}/resources, as 3.0 has it
            query, path = query | {"venID": path[1]}, [path[2]]
        kind = path[0]
        if kind not in KINDS:
            return 404, {"title": "Not Found", "status": 404}
        if self.command == "POST":
            return self._create(
                kind, json.loads(body) | ({"venID": query["venID"]} if "venID" in query else {})
            )
        if len(path) == 2:
            found = vtn.objects[kind].get(path[1])
            return (404, {"title": "Not Found", "status": 404}) if found is None else (200, found)
        names = ("programID", "eventID", "venName", "venID", "resourceName")
        wanted: dict[str, str] = {name: query[name] for name in names if name in query}
        hidden = fault == "empty" or (fault == "forgets-events" and kind == "events")
        found = [] if hidden else list(vtn.objects[kind].values())
        listed = [each for each in found if all(each.get(name) == value for name, value in wanted.items())]
        skip = 0 if fault == "ignores-skip" else int(query.get("skip", 0))
        limit = SHORT_PAGE if fault == "short-pages" else min(PAGE, int(query.get("limit", PAGE)))
        return 200, listed[skip : skip + limit]

    def _create(self, kind: str, value: dict[str, Any]) -> tuple[int, Any]:
        names = [each.get("reportName") for each in self._vtn.objects["reports"].values()]
        if kind == "reports" and value.get("reportName") in names:
            return 409, {"title": "Conflict", "status": 409}
        value.pop("objectType", None)
        try:
            return 201, self._vtn.add(kind, value)
        except ValueError as error:
            self._vtn.problems.append(f"{kind}: {error}")
            return 400, {"title": "Bad Request", "status": 400, "detail": str(error)[:200]}

    def _spoil(self, fault: str) -> bool:
        """Answer wrongly; false where the fault is in an answer that is made later."""
        match fault:
            case "slow":
                time.sleep(SLOW_S)
                self._problem(503, "Too late")
            case "garbage":
                self._write(200, b"<html>Welcome to the VTN</html>")
            case "object":
                self._write(200, b'{"events": "many"}')
            case "huge":
                self._write(200, b"[" + b" " * HUGE_BYTES + b"]")
            case "denied":
                self._problem(401, "Unauthorized")
            case "forbidden":
                self._problem(403, "Forbidden")
            case "down":
                self._problem(503, "Service Unavailable")
            case "away":
                self._write(302, b"", ("location", "http://127.0.0.1:9/elsewhere"))
            case "drip":
                self._drip()
            case _:
                return False
        return True

    def _drip(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "100000")
        self.end_headers()
        try:
            for _ in range(100):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.1)
        except OSError:
            return

    def _problem(self, status: int, title: str) -> None:
        self._say(status, {"title": title, "status": status})

    def _say(self, status: int, answer: Any) -> None:
        self._write(status, json.dumps(answer).encode())

    def _write(self, status: int, data: bytes, *headers: tuple[str, str]) -> None:
        try:
            self.send_response(status)
            for name, value in (("content-type", "application/json"), *headers):
                self.send_header(name, value)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            self.close_connection = True


def main(arguments: list[str]) -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description="A VTN of OpenADR 3, to try clients with.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--version", choices=("3.0", "3.1"), default="3.0")
    parser.add_argument("--token-s", type=int, default=3600)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--certificate", help="with --key: speak TLS")
    parser.add_argument("--key")
    options = parser.parse_args(arguments)
    vtn = Vtn(Checker(options.check, options.version), options.version, options.token_s)
    server = ThreadingHTTPServer(("127.0.0.1", options.port), partial(Handler, vtn))
    server.daemon_threads = True
    if options.certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificate, options.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(json.dumps({"port": server.server_address[1]}) + "\n")
    sys.stdout.flush()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(vtn.obey(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
