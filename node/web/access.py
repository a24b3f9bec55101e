"""Shell: who a request comes from, and whether it may: tokens and sessions, rates, throttled logins, same origin.

On loopback whoever is on this machine may look without a token, if the configuration leaves it open; nobody acts
without one.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.requests import Request

from node.transport.rates import TokenBucket
from node.web.faults import Refusal
from node.web.tokens import Role, Token, TokenBook

SESSION_COOKIE = "wattswarm_session"
SESSIONS = 64
"""sessions at one time; the oldest gives way."""
SESSION_S = 12 * 3600.0
"""real seconds after which a browser has to show its token again."""
REQUESTS_PER_S = 50.0
REQUESTS_BURST = 300.0
"""requests of one address; a page loads with about twenty."""
ADDRESSES = 1024
"""addresses whose rates are remembered."""
LOGIN_PAUSE_S = 1.0
LONGEST_LOGIN_PAUSE_S = 60.0
"""real seconds after a wrong token until an address may try again: doubled each time."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: the name of a token and its role, or somebody on this machine without one."""

    name: str
    role: Role
    token: Token | None


LOCAL_VIEWER = Principal("this machine", Role.VIEWER, None)


@dataclass(slots=True)
class _Session:
    token: Token
    ends_s: float


@dataclass(slots=True)
class _Throttle:
    failures: int = 0
    until_s: float = 0.0


@dataclass(slots=True)
class Access:
    """The guard in front of one node's API."""

    book: TokenBook
    open_on_loopback: bool
    hosts: frozenset[str]
    private: Callable[[], bool] = lambda: False
    rate: float = REQUESTS_PER_S
    burst: float = REQUESTS_BURST
    _sessions: OrderedDict[str, _Session] = field(default_factory=OrderedDict)
    _buckets: OrderedDict[str, TokenBucket] = field(default_factory=OrderedDict)
    _throttles: OrderedDict[str, _Throttle] = field(default_factory=OrderedDict)

    def admit(self, request: Request) -> None:
        """Refuse what no principal may do: too many requests, a foreign host name, a write from another origin."""
        address = _address(request)
        bucket = self._buckets.pop(address, None) or TokenBucket(self.rate, self.burst, time.monotonic())
        self._buckets[address] = bucket
        if len(self._buckets) > ADDRESSES:
            self._buckets.popitem(last=False)
        if not bucket.take(1.0, time.monotonic()):
            raise Refusal(429, "too-many-requests", "too many requests from this address; slow down")
        host = request.headers.get("host", "")
        if self.hosts and _host_name(host) not in self.hosts:
            raise Refusal(
                421, "foreign-host", f"this server is not called {host!r}; use the address it listens on"
            )
        if request.method not in ("GET", "HEAD"):
            origin = request.headers.get("origin")
            site = request.headers.get("sec-fetch-site", "same-origin")
            foreign = origin is not None and origin.partition("://")[2] != host
            if foreign or site not in ("same-origin", "none"):
                raise Refusal(403, "cross-origin", "another site may not write here")

    def principal(self, request: Request) -> Principal | None:
        """Who asks, None for nobody who is known."""
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            token = self.book.find(secret.strip())
            return None if token is None else Principal(token.name, token.role, token)
        session = self._sessions.get(request.cookies.get(SESSION_COOKIE, ""))
        if session is not None and session.ends_s > time.monotonic() and self.book.holds(session.token):
            return Principal(session.token.name, session.token.role, session.token)
        return LOCAL_VIEWER if self._is_open() else None

    def require(self, request: Request, role: Role) -> Principal:
        """Who asks, if that is enough. Raises `Refusal`."""
        found = self.principal(request)
        if found is None:
            raise Refusal(401, "token-needed", "show a token: `wattswarm node token add` makes one")
        if not found.role.covers(role):
            raise Refusal(403, "not-allowed", f"this needs a token of role {role.value}")
        return found

    def still_allowed(self, principal: Principal) -> bool:
        """Whether a stream that began may go on."""
        if principal.token is None:
            return self._is_open()
        return self.book.holds(principal.token)

    def log_in(self, request: Request, secret: str) -> tuple[str, Token]:
        """A session for a token. Raises `Refusal`, sooner and sooner for an address that guesses."""
        address, now_s = _address(request), time.monotonic()
        throttle = self._throttles.setdefault(address, _Throttle())
        if len(self._throttles) > ADDRESSES:
            self._throttles.popitem(last=False)
        if now_s < throttle.until_s:
            raise Refusal(429, "login-throttled", "a wrong token was shown a moment ago; wait and try again")
        token = self.book.find(secret)
        if token is None:
            throttle.failures += 1
            pause_s = min(LONGEST_LOGIN_PAUSE_S, LOGIN_PAUSE_S * 2 ** (throttle.failures - 1))
            throttle.until_s = now_s + pause_s
            raise Refusal(401, "wrong-token", "this token is not known here, was revoked, or has expired")
        self._throttles.pop(address, None)
        session = secrets.token_urlsafe(32)
        self._sessions[session] = _Session(token, now_s + SESSION_S)
        if len(self._sessions) > SESSIONS:
            self._sessions.popitem(last=False)
        return session, token

    def log_out(self, request: Request) -> None:
        """End the session of this browser."""
        self._sessions.pop(request.cookies.get(SESSION_COOKIE, ""), None)

    def _is_open(self) -> bool:
        """Whether who is on this machine may look without a token: as configured, if the owner lets it."""
        return self.open_on_loopback and not self.private()


def _address(request: Request) -> str:
    return "unknown" if request.client is None else request.client.host


def _host_name(host: str) -> str:
    """The name in a Host header, without its port."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    return name.removeprefix("[").removesuffix("]").lower()
