"""Shell: asks a VTN over HTTP (httpx on trio): tokens, programs, events, our VEN and resource, reports.

Everything that comes back is bounded in size and time. Any failure is an `OpenAdrError` that names the VTN and what to
do; nothing is followed elsewhere, and no proxy of the environment is used, because a secret is sent.
"""

import json
import math
import ssl
import stat
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final

import httpx
import trio

from devices.openadr.book import MOST_EVENTS
from devices.openadr.values import OpenAdrError, Table, items, shown, table
from node.configuration.config import Config
from node.configuration.openadr_section import OpenAdrSection
from node.demand.setting_up import client_of

ANSWER_BYTES: Final = 1_048_576
"""Of one answer: fifty events of a week in quarter hours have half as many."""
PAGE: Final = 50
"""Objects asked for at a time; the most that the schema allows."""
MOST_OBJECTS: Final = 4 * MOST_EVENTS
MOST_PAGES: Final = 200
"""A server may make its pages shorter than asked."""
TOKEN_MARGIN_S: Final = 10.0
"""Real seconds before its end at which a token is not used any more."""
TOKEN_S: Final = 3_600.0
"""Of a token whose end is not said."""
GONE: Final = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


@dataclass(frozen=True, slots=True)
class Reply:
    """A status and what came with it, as JSON."""

    status: int
    body: object


@dataclass(slots=True)
class Vtn:
    """One VTN, asked as one client. Use it within `connected`."""

    section: OpenAdrSection
    ven: str
    secret: str | None
    http: httpx.AsyncClient
    _token: str | None = None
    _token_ends_s: float = -math.inf
    _token_url: str | None = field(default=None)

    @property
    def place(self) -> str:
        """The VTN's address, for messages to people."""
        assert self.section.vtn is not None
        return self.section.vtn

    async def programs(self) -> list[object]:
        """All programs that it shows us. Raises `OpenAdrError`."""
        return await self._all("programs", {})

    async def events(self, programs: list[str]) -> list[object]:
        """All events that it shows us of these programs. Raises `OpenAdrError`."""
        found: list[object] = []
        for program in programs:
            found += await self._all("events", {"programID": program})
        return found

    async def event(self, identity: str) -> object | None:
        """One event; None when there is none any more for us. Raises `OpenAdrError`."""
        reply = await self._ask("GET", f"events/{identity}", allowed=GONE)
        return None if reply.status in GONE else reply.body

    async def register(self, resource: str) -> str:
        """See that it knows our VEN and its resource; returns the VEN's id. Raises `OpenAdrError`."""
        vens = await self._all("vens", {"venName": self.ven})
        found: object = next(
            (ven for ven in vens if isinstance(ven, dict) and ven.get("venName") == self.ven), None
        )
        newer = self.section.version == "3.1"
        if found is None:
            asked: Table = {"venName": self.ven}
            found = (
                await self._ask("POST", "vens", asked | ({"objectType": "VEN_VEN_REQUEST"} if newer else {}))
            ).body
        identity = str(table(found, f"{self.place}: a ven").get("id"))
        where = "resources" if newer else f"vens/{identity}/resources"
        known = await self._all(where, {"resourceName": resource} | ({"venID": identity} if newer else {}))
        if not any(isinstance(each, dict) and each.get("resourceName") == resource for each in known):
            asked = {"resourceName": resource}
            if newer:
                asked |= {"objectType": "VEN_RESOURCE_REQUEST", "venID": identity}
            await self._ask("POST", where, asked)
        return identity

    async def report(self, made: Table) -> None:
        """Send a report; one that it has already is sent. Raises `OpenAdrError`."""
        await self._ask("POST", "reports", made, allowed=frozenset({HTTPStatus.CONFLICT}))

    async def _all(self, what: str, query: dict[str, str]) -> list[object]:
        """All objects of a kind, page by page, until a page brings nothing new."""
        found: list[object] = []
        seen: set[str] = set()
        parameters: dict[str, str | list[str]] = dict(query)
        if self.section.version == "3.1" and what in ("programs", "events") and self.section.targets:
            parameters["targets"] = list(self.section.targets)
        for _ in range(MOST_PAGES):
            paging = {"skip": str(len(found)), "limit": str(PAGE)}
            page = items(
                (await self._ask("GET", what, query=parameters | paging)).body, f"{self.place}/{what}"
            )
            new = [each for each in page if _key(each) not in seen]
            if not new:
                return found
            if len(found) + len(new) > MOST_OBJECTS:
                break
            seen |= {_key(each) for each in new}
            found += new
        raise OpenAdrError(
            f"{self.place}: more than {len(found)} {what}; name the wanted programs in openadr.programs"
        )

    async def _ask(
        self,
        method: str,
        path: str,
        body: Table | None = None,
        query: Mapping[str, str | list[str]] | None = None,
        allowed: frozenset[HTTPStatus] = frozenset(),
    ) -> Reply:
        """One request with a token; when that is refused, once more with a new one."""
        url = f"{self.place}/{path}"
        for attempt in (1, 2):
            headers = {} if self.secret is None else {"authorization": f"Bearer {await self._bearer()}"}
            content = None if body is None else json.dumps(body)
            if content is not None:
                headers["content-type"] = "application/json"
            reply = await self._send(
                httpx.Request(method, url, params=query, headers=headers, content=content)
            )
            if reply.status == HTTPStatus.UNAUTHORIZED and self.secret is not None and attempt == 1:
                self._token = None
                continue
            if reply.status in allowed or HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
                return reply
            raise OpenAdrError(f"{url}: {_trouble(reply)}")
        raise AssertionError("the second attempt returns or raises")

    async def _bearer(self) -> str:
        """A token that is good for a while (OAuth 2, client credentials: RFC 6749, section 4.4)."""
        if self._token is not None and trio.current_time() < self._token_ends_s:
            return self._token
        url = await self._token_place()
        form = {
            "grant_type": "client_credentials",
            "client_id": self.section.client_id or "",
            "client_secret": self.secret or "",
            **({} if self.section.scope is None else {"scope": self.section.scope}),
        }
        reply = await self._send(httpx.Request("POST", url, data=form))
        if reply.status != HTTPStatus.OK:
            raise OpenAdrError(
                f"{url}: gives no token ({_said(reply)}); look at openadr.client_id, openadr.client_secret_file"
                " and openadr.scope"
            )
        answer = table(reply.body, f"{url}: the answer")
        token, lasts_s = answer.get("access_token"), answer.get("expires_in", TOKEN_S)
        if not isinstance(token, str) or not 1 <= len(token) <= 4096 or not token.isascii() or " " in token:
            raise OpenAdrError(f"{url}: its access_token is none; found {shown(token)}")
        if isinstance(lasts_s, bool) or not isinstance(lasts_s, int | float) or not lasts_s > 0:
            raise OpenAdrError(f"{url}: its expires_in is no time; found {shown(lasts_s)}")
        self._token = token
        self._token_ends_s = trio.current_time() + max(lasts_s - TOKEN_MARGIN_S, lasts_s / 2)
        return token

    async def _token_place(self) -> str:
        """Where tokens are given: as configured, as the VTN says (3.1), or at the VTN itself (3.0)."""
        if self.section.token_url is not None:
            return self.section.token_url
        if self.section.version == "3.0":
            return f"{self.place}/auth/token"
        if self._token_url is None:
            url = f"{self.place}/auth/server"
            reply = await self._send(httpx.Request("GET", url))
            if reply.status != HTTPStatus.OK:
                raise OpenAdrError(f"{url}: does not say where tokens are; set openadr.token_url")
            said = table(reply.body, f"{url}: the answer").get("tokenURL")
            # The secret goes nowhere that the owner would not have been let write down.
            try:
                self._token_url = OpenAdrSection(vtn=self.section.vtn, token_url=str(said)).token_url
            except ValueError as fault:
                raise OpenAdrError(f"{url}: names no safe place for tokens; found {shown(said)}") from fault
        return self._token_url or self.place

    async def _send(self, request: httpx.Request) -> Reply:
        """Send and read, within time and size."""
        url = str(request.url.copy_with(query=None))
        try:
            with trio.fail_after(self.section.timeout_real_s):
                response = await self.http.send(request, stream=True)
                try:
                    data = bytearray()
                    async for part in response.aiter_bytes():
                        data += part
                        if len(data) > ANSWER_BYTES:
                            raise OpenAdrError(
                                f"{url}: an answer of more than {ANSWER_BYTES} bytes is not read"
                            )
                finally:
                    with trio.CancelScope(shield=True), trio.move_on_after(1.0):
                        await response.aclose()
        except trio.TooSlowError as fault:
            raise OpenAdrError(
                f"{url}: no answer within {self.section.timeout_real_s:g} s; look at openadr.vtn, the network,"
                " and openadr.timeout_real_s"
            ) from fault
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as fault:
            raise OpenAdrError(f"{url}: {_reason(fault)}") from fault
        return Reply(response.status_code, _json(url, bytes(data), response.status_code))


@asynccontextmanager
async def connected(config: Config) -> AsyncIterator[Vtn]:
    """The VTN of a configuration. Raises `OpenAdrError` for a file of it that cannot be used."""
    section = config.openadr
    trust = _trust(config)
    async with httpx.AsyncClient(verify=trust, trust_env=False, follow_redirects=False, timeout=None) as http:
        yield Vtn(section, client_of(config).ven, _secret(config), http)


def _trust(config: Config) -> ssl.SSLContext:
    """Whom we believe; nobody where no connection is encrypted."""
    section = config.openadr
    if not any((address or "").startswith("https:") for address in (section.vtn, section.token_url)):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if section.ca_file is None:
        return ssl.create_default_context()
    path = Path(config.file).parent / section.ca_file
    try:
        return ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError) as fault:
        raise OpenAdrError(f"openadr.ca_file: {path}: {fault}; it must hold certificates in PEM") from fault


def _secret(config: Config) -> str | None:
    if config.openadr.client_secret_file is None:
        return None
    path = Path(config.file).parent / config.openadr.client_secret_file
    try:
        mode, secret = stat.S_IMODE(path.stat().st_mode), path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as fault:
        raise OpenAdrError(f"openadr.client_secret_file: {path}: {fault}") from fault
    if mode & 0o077:
        raise OpenAdrError(
            f"openadr.client_secret_file: {path} is open to others (mode {mode:04o}); run: chmod 600 {path}"
        )
    if not secret:
        raise OpenAdrError(f"openadr.client_secret_file: {path} is empty")
    return secret


def _json(url: str, data: bytes, status: int) -> object:
    try:
        body: object = json.loads(data) if data else None
    except (ValueError, RecursionError) as fault:
        if status >= HTTPStatus.BAD_REQUEST:
            return None
        raise OpenAdrError(
            f"{url}: what it says is no JSON; is openadr.vtn the address of a VTN's API?"
        ) from fault
    return body


def _key(value: object) -> str:
    identity = value.get("id") if isinstance(value, dict) else None
    return identity if isinstance(identity, str) else repr(value)


def _reason(fault: Exception) -> str:
    cause: BaseException | None = fault
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = cause.verify_message
            return f"its certificate is not trusted ({why}); openadr.ca_file names the one that signed it"
        cause = cause.__cause__ or cause.__context__
    if isinstance(fault, httpx.ConnectError | httpx.ConnectTimeout):
        return "cannot be reached; look at openadr.vtn and the network"
    return f"broke off ({type(fault).__name__}: {fault}); it is asked again"


def _trouble(reply: Reply) -> str:
    """What a status means for who runs the node."""
    match reply.status:
        case HTTPStatus.UNAUTHORIZED:
            remedy = "look at openadr.client_id and openadr.token_url"
        case HTTPStatus.FORBIDDEN:
            remedy = "ask its operator what this client may do, and look at openadr.scope"
        case HTTPStatus.NOT_FOUND:
            remedy = (
                "is openadr.vtn its whole address, with the version, like https://vtn.example/openadr3/3.0.1?"
            )
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
            remedy = "it is asked again later"
        case status if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            remedy = "it wants us elsewhere; set openadr.vtn to where it is"
        case _:
            remedy = "look at openadr.version, and at what it is asked in docs/demand-response.md"
    return f"answers {_said(reply)}; {remedy}"


def _said(reply: Reply) -> str:
    said = ""
    if isinstance(reply.body, dict):
        words = (reply.body.get(name) for name in ("title", "detail", "error", "error_description"))
        said = "; ".join(word for word in words if isinstance(word, str) and word)
    said = "".join(letter if letter.isprintable() else " " for letter in said)
    return f"{reply.status} {said[:200]}".strip()
