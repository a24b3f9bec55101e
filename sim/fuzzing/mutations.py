"""Shell: ways to spoil a valid message that keep much of its structure, so that the spoilt part is reached.

Bytes are flipped, cut, repeated, spliced with another message, and given lengths that claim far more than follows.
Where the message is an encoded value, its tree is changed: items are replaced, dropped, doubled, exchanged, nested
deeper, or taken from another message, inside of encoded byte strings too. All chance is the given one's.
"""

import json
from random import Random

import cbor2

LARGE = (1 << 31, (1 << 32) - 1, 1 << 62, (1 << 63) - 1, -(1 << 63), 1 << 63, 1 << 64)
INTERESTING = (0, 1, -1, 2, 23, 24, 255, 256, *LARGE)
"""Integers at which encodings and ranges end."""
MOST_BYTES = 32 * 1024
"""Of a mutated message: repetition must not grow without bound."""
MOST_ROUNDS = 4
"""Mutations on top of each other."""


def mutated(data: bytes, other: bytes, random: Random) -> bytes:
    """The message, spoilt once or several times; ``other`` is one to splice with."""
    for _ in range(random.randint(1, MOST_ROUNDS)):
        change = random.choice((_in_tree, _in_tree, _in_tree, _flip, _cut, _insert, _repeat, _splice, _claim))
        data = change(data, other, random)[:MOST_BYTES]
    return data


def _flip(data: bytes, other: bytes, random: Random) -> bytes:
    if not data:
        return data
    spoilt = bytearray(data)
    spoilt[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(spoilt)


def _cut(data: bytes, other: bytes, random: Random) -> bytes:
    start, end = _range(data, random)
    return random.choice((data[:start], data[start:], data[:start] + data[end:]))


def _insert(data: bytes, other: bytes, random: Random) -> bytes:
    at = random.randint(0, len(data))
    return data[:at] + random.randbytes(random.randint(1, 9)) + data[at:]


def _repeat(data: bytes, other: bytes, random: Random) -> bytes:
    start, end = _range(data, random)
    return data[:end] + data[start:end] * random.choice((1, 2, 64, 1000)) + data[end:]


def _splice(data: bytes, other: bytes, random: Random) -> bytes:
    start, end = _range(data, random)
    other_start, other_end = _range(other, random)
    return data[:start] + other[other_start:other_end] + data[end:]


def _claim(data: bytes, other: bytes, random: Random) -> bytes:
    """A head of CBOR, or a length of four bytes, that promises much."""
    size = random.choice((1, 2, 4, 8))
    head = random.choice((0x40, 0x60, 0x80, 0xA0)) + {1: 24, 2: 25, 4: 26, 8: 27}[size]
    length = random.choice((255, 65_535, 1 << 24, (1 << 32) - 1, (1 << 63) - 1)) % (1 << 8 * size)
    claim = random.choice((bytes([head]), b"")) + length.to_bytes(size, "big")
    at = random.randint(0, len(data))
    return data[:at] + claim + data[at + random.choice((0, len(claim))) :]


def _in_tree(data: bytes, other: bytes, random: Random) -> bytes:
    if data.startswith(b"{"):
        return _in_json(data, random)
    tree, theirs = _tree(data), _tree(other)
    if tree is None:
        return _flip(data, other, random)
    return _written(_changed(tree, theirs, random))


def _in_json(data: bytes, random: Random) -> bytes:
    try:
        tree = json.loads(data)
        place = tree
        while random.random() < 0.6 and (
            inner := [each for each in place.values() if isinstance(each, dict)]
        ):
            place = random.choice(inner)
        key = random.choice([*place, "other"])
        place[key] = random.choice(
            (*INTERESTING, 1e308, -0.5, True, None, "", "\ud800", [], {}, [tree], dict(place))
        )
        if random.random() < 0.2:
            del place[key]
        return json.dumps(tree).encode()
    except (ValueError, AttributeError, RecursionError):
        return _flip(data, b"", random)


def _changed(tree: object, theirs: object, random: Random) -> object:
    """A tree with one change somewhere; deeper places are as likely as near ones."""
    inner = _tree(tree) if isinstance(tree, bytes) and len(tree) > 1 else None
    if isinstance(inner, list) and random.random() < 0.8:
        return _written(_changed(inner, theirs, random))
    if not isinstance(tree, list) or not tree or random.random() < 0.15:
        return _replacement(tree, theirs, random)
    items = list(tree)
    at = random.randrange(len(items))
    match random.randrange(8):
        case 0:
            del items[at]
        case 1:
            items.insert(at, items[random.randrange(len(items))])
        case 2:
            items[at], items[-1] = items[-1], items[at]
        case 3:
            items = items[: at + 1] * random.choice((2, 3, 100))
        case _:
            items[at] = _changed(items[at], theirs, random)
    return items


def _replacement(tree: object, theirs: object, random: Random) -> object:
    if isinstance(tree, int) and random.random() < 0.5:
        return tree + random.choice((-1, 1))
    if isinstance(tree, bytes) and random.random() < 0.5:
        return random.choice((tree[:-1], tree + b"\0", tree[::-1], _flip(tree, b"", random)))
    return random.choice(
        (
            random.choice(INTERESTING),
            random.randbytes(random.choice((0, 1, 8, 31, 32, 33, 64, 300))),
            None,
            [],
            [tree],
            [tree] * random.choice((2, 300)),
            random.choice((True, 1.5, "text", {1: 2}, -0.0)),
            _part(theirs, random),
        )
    )


def _part(tree: object, random: Random) -> object:
    while isinstance(tree, list) and tree and random.random() < 0.8:
        tree = random.choice(tree)
    return tree


def _tree(data: bytes) -> object:
    """What a lenient reader finds, with lists as arrays; None where there is nothing."""
    try:
        found: object = cbor2.loads(data, max_depth=40)
    except (cbor2.CBORError, ValueError, TypeError, OverflowError):
        return None
    return found


def _written(tree: object) -> bytes:
    try:
        return cbor2.dumps(tree)
    except (cbor2.CBORError, ValueError, TypeError, RecursionError):
        return b""


def _range(data: bytes, random: Random) -> tuple[int, int]:
    start = random.randint(0, len(data))
    return start, random.randint(start, min(len(data), start + random.choice((1, 8, 64, len(data)))))
