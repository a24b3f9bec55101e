"""Where members are: configured, or learned from themselves within narrow bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import Malformed
from node.constants import ADDRESSES_PER_MEMBER, GOSSIP_BYTES
from node.transport.address_book import AddressBook
from node.wire import (
    WHEREABOUTS_ADDRESS_BYTES,
    WHEREABOUTS_BYTES,
    Whereabouts,
    decode_whereabouts,
    encode_whereabouts,
)

HOUSE = "/ip4/192.0.2.7/tcp/9400"
SIX = "/ip6/2001:db8::7/tcp/9400"
LOOPBACK = "/ip4/127.0.0.1/tcp/9401"


def member(number: int) -> tuple[bytes, str]:
    return bytes([number]) * 32, f"home-{number}"


def said(cell_ns: int, *addresses: str) -> bytes:
    return encode_whereabouts(Whereabouts(cell_ns, addresses))


def book(listens: str = "/ip4/0.0.0.0/tcp/9400", **configured: tuple[str, ...]) -> AddressBook:
    return AddressBook({name.replace("_", "-"): places for name, places in configured.items()}, (listens,))


def test_a_member_without_configuration_is_dialled_where_it_says() -> None:
    known = book(home_1=(HOUSE,))
    newcomer = member(2)
    assert known.of([member(1), newcomer]) == {member(1)[0]: (HOUSE,), newcomer[0]: ()}
    assert known.hear(newcomer[0], said(1, SIX, HOUSE, SIX))
    assert known.of([newcomer]) == {newcomer[0]: (SIX, HOUSE)}


def test_the_configuration_is_not_overruled() -> None:
    known = book(home_1=(HOUSE,))
    known.hear(member(1)[0], said(1, SIX))
    assert known.of([member(1)]) == {member(1)[0]: (HOUSE,)}


def test_the_newest_that_a_member_said_counts_whatever_is_repeated_later() -> None:
    known, who = book(), member(1)
    assert known.hear(who[0], said(5, HOUSE))
    assert not known.hear(who[0], said(5, SIX))
    assert not known.hear(who[0], said(4, SIX))
    assert not known.hear(who[0], said(6, HOUSE))
    assert known.of([who]) == {who[0]: (HOUSE,)}
    assert known.hear(who[0], said(7))
    assert known.of([who]) == {who[0]: ()}


def test_what_a_former_member_said_is_forgotten() -> None:
    known = book()
    known.hear(member(1)[0], said(1, HOUSE))
    known.of([member(2)])
    assert known.learned == {}


@pytest.mark.parametrize(
    "address",
    [
        "/ip4/0.0.0.0/tcp/9400",
        "/ip4/127.0.0.1/tcp/9400",
        "/ip6/::1/tcp/9400",
        "/ip6/::/tcp/9400",
        "/ip6/::ffff:127.0.0.1/tcp/9400",
        "/ip6/::ffff:7f00:1/tcp/9400",
        "/ip6/2002:7f00:1::/tcp/9400",
        "/ip4/169.254.169.254/tcp/80",
        "/ip6/fe80::1/tcp/9400",
        "/ip4/224.0.0.1/tcp/9400",
        "/ip4/255.255.255.255/tcp/9400",
        "/ip4/192.0.2.7/tcp/0",
        "/ip4/192.0.2.7/tcp/65536",
        "/ip4/192.0.2.7/tcp/80/ws",
        "/ip4/192.0.2/tcp/9400",
        "/ip4/192.0.2.007/tcp/9400",
        "/ip6/2001:DB8::7/tcp/9400",
        "/ip6/2001:db8:0::7/tcp/9400",
        "/ip6/192.0.2.7/tcp/9400",
        "/ip4/2001:db8::7/tcp/9400",
        "/dns4/internal.example/tcp/9400",
        "nonsense",
        "",
    ],
)
def test_nobody_is_made_to_knock_just_anywhere(address: str) -> None:
    known, who = book(), member(1)
    known.hear(who[0], said(1, address, HOUSE))
    assert known.of([who]) == {who[0]: (HOUSE,)}


def test_loopback_is_for_those_who_listen_there() -> None:
    known, who = book(LOOPBACK), member(1)
    known.hear(who[0], said(1, "/ip4/127.0.0.2/tcp/9400", "/ip6/::1/tcp/9400"))
    assert known.of([who]) == {who[0]: ("/ip4/127.0.0.2/tcp/9400", "/ip6/::1/tcp/9400")}


def test_a_node_says_what_was_chosen_else_what_the_founder_wrote_else_where_it_listens() -> None:
    assert book(home_1=(SIX,)).own("home-1", (HOUSE,)) == (HOUSE,)
    assert book(home_1=(SIX,)).own("home-1", ()) == (SIX,)
    assert book(HOUSE).own("home-1", ()) == (HOUSE,)
    assert book("/ip4/0.0.0.0/tcp/9400").own("home-1", ()) == ()
    assert book().own("home-1", ("/dns4/home.example/tcp/9400", HOUSE)) == (HOUSE,)


addresses = st.lists(st.text(st.characters(codec="ascii"), max_size=WHEREABOUTS_ADDRESS_BYTES), max_size=8)


@given(st.integers(0, 2**63 - 1), addresses.map(tuple))
def test_what_is_said_reads_back(cell_ns: int, places: tuple[str, ...]) -> None:
    encoded = encode_whereabouts(Whereabouts(cell_ns, places))
    assert len(encoded) <= WHEREABOUTS_BYTES <= GOSSIP_BYTES
    assert decode_whereabouts(encoded) == Whereabouts(cell_ns, places)


@given(st.binary(max_size=200))
def test_garbage_is_refused_with_the_declared_error(data: bytes) -> None:
    known = book()
    try:
        known.hear(member(1)[0], data)
    except Malformed:
        return
    assert all(len(each.addresses) <= ADDRESSES_PER_MEMBER for each in known.learned.values())


@pytest.mark.parametrize(
    "said_wrongly",
    [
        said(1, *[HOUSE] * (ADDRESSES_PER_MEMBER + 1)),
        said(1, "/" * (WHEREABOUTS_ADDRESS_BYTES + 1)),
        b"\x82\x20\x80",
        b"\x82\x01\x81\x01",
        b"\x01",
    ],
)
def test_too_much_or_no_address_at_all_is_refused(said_wrongly: bytes) -> None:
    with pytest.raises(Malformed):
        decode_whereabouts(said_wrongly)
