"""Shell: who may look and act: tokens in a file beside the node's keys, each stored as a hash alone.

A token is 32 random bytes, so a plain SHA-256 of it cannot be guessed backwards. It is compared in constant time, has
a role and an end, and is gone within a second of being revoked.
"""

import hashlib
import hmac
import json
import os
import secrets
import time
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

from node.errors import InputRefusedError

TOKENS_FILE = "web-tokens.json"
PREFIX = "wst_"
MOST_TOKENS = 64
LONGEST_DAYS = 3650
LOOK_EVERY_S = 0.5
"""real seconds between looks for a changed file."""
NAME_LENGTH = 40


class Role(StrEnum):
    """What a token allows. Each role may do what those before it may.

    viewer: look. owner: change what concerns this node. operator: change what concerns the cell.
    """

    VIEWER = "viewer"
    OWNER = "owner"
    OPERATOR = "operator"

    def covers(self, needed: "Role") -> bool:
        """Whether whoever has this role may do what the other is needed for."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class Token:
    """One token without its secret; times are unix seconds."""

    name: str
    role: Role
    digest: str
    created_s: int
    expires_s: int


class TokenBook:
    """The tokens of one data directory, read again when the file has changed."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / TOKENS_FILE
        self._looked_s = -1.0
        self._stamp: tuple[int, int] | None = None
        self._tokens: tuple[Token, ...] = ()

    def tokens(self) -> tuple[Token, ...]:
        """All tokens, expired ones too. Raises `InputRefusedError` for a file that is none of ours."""
        now_s = time.monotonic()
        if self._looked_s >= 0 and now_s - self._looked_s < LOOK_EVERY_S:
            return self._tokens
        self._looked_s = now_s
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._stamp, self._tokens = None, ()
            return ()
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp != self._stamp:
            self._stamp, self._tokens = stamp, self._read()
        return self._tokens

    def add(self, name: str, role: Role, days: int) -> str:
        """A new token, shown this once; raises `InputRefusedError` for a name that is taken or an end out of bounds."""
        self._looked_s = -1.0
        held = self.tokens()
        if not 0 < len(name) <= NAME_LENGTH or not name.isprintable():
            raise InputRefusedError(f"a token's name has 1 to {NAME_LENGTH} printable characters")
        if any(token.name == name for token in held):
            raise InputRefusedError(f"there is a token {name!r} already; revoke it first")
        if not 1 <= days <= LONGEST_DAYS:
            raise InputRefusedError(f"a token holds 1 to {LONGEST_DAYS} days, not {days}")
        if len(held) >= MOST_TOKENS:
            raise InputRefusedError(f"there are {MOST_TOKENS} tokens already; revoke some")
        secret = PREFIX + secrets.token_urlsafe(32)
        now_s = int(time.time())
        self._write((*held, Token(name, role, _digest(secret), now_s, now_s + days * 86_400)))
        return secret

    def revoke(self, name: str) -> Token:
        """Forget a token. Raises `InputRefusedError` where there is none of that name."""
        self._looked_s = -1.0
        held = self.tokens()
        gone = next((token for token in held if token.name == name), None)
        if gone is None:
            known = ", ".join(token.name for token in held) or "none"
            raise InputRefusedError(f"there is no token {name!r}; there are: {known}")
        self._write(tuple(token for token in held if token is not gone))
        return gone

    def find(self, secret: str) -> Token | None:
        """The token with this secret, if it has not expired; every token is compared, in constant time."""
        found = self._find(secret)
        if found is None:
            self._looked_s = -1.0  # it may have been made since the last look
            found = self._find(secret)
        return found if found is not None and found.expires_s > time.time() else None

    def _find(self, secret: str) -> Token | None:
        digest, found = _digest(secret), None
        for token in self.tokens():
            if hmac.compare_digest(token.digest, digest):
                found = token
        return found

    def holds(self, token: Token) -> bool:
        """Whether this very token is still good."""
        return token in self.tokens() and token.expires_s > time.time()

    def _read(self) -> tuple[Token, ...]:
        try:
            rows = json.loads(self._path.read_text("utf-8"))
            return tuple(replace(Token(**row), role=Role(row["role"])) for row in rows)
        except (ValueError, TypeError, KeyError) as fault:
            raise InputRefusedError(f"{self._path}: not a file of tokens ({fault}); remove it") from fault

    def _write(self, tokens: tuple[Token, ...]) -> None:
        draft = self._path.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        with os.fdopen(
            os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            json.dump([asdict(token) for token in tokens], file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self._path)
        self._looked_s, self._stamp = -1.0, None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
