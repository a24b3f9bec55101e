"""Shell: finds out what `wattswarm node doctor` judges: clock, disk, network, keys and devices of one node.

It changes nothing, takes no lock, and may run beside the daemon. Everything that waits has a limit.
"""

import ctypes
import os
import shutil
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devices.errors import ProfileError
from devices.process.control_files import LOCK_NAME
from devices.profiles import read_profile
from ledger.errors import InvalidGenesis, KeyFileError, LedgerError
from ledger.files.directory import (
    CONSENSUS_KEY_FILE,
    GUARD_FILE,
    IDENTITY_KEY_FILE,
    LEDGER_FILE,
    LOCK_FILE,
)
from ledger.files.keys import load_key
from ledger.membership.members import Membership
from ledger.records.blocks import decode_block
from ledger.records.genesis import Genesis
from ledger.store.reopening import reopen_fast
from market.cell import EnergyCell
from node.agreement.belonging import confirmations_needed
from node.configuration.config import Config, load_config, with_clock_file
from node.errors import ConfigError, NodeError
from node.operation import doctor
from node.operation.doctor import ClockFacts, DeviceFacts, DiskFacts, Finding, KeyFacts, Level, NetworkFacts
from node.views.ledger_view import opened

CONNECT_S: Final = 2.0
"""Real seconds to wait for an address: more than any path on earth takes."""

FLUSHES: Final = 5
PROBE_FILE: Final = ".doctor"
TIME_ERROR: Final = 5
"""Of adjtimex(2): nothing keeps the clock."""


def examine(config_path: Path, passphrase: str | None) -> tuple[Finding, ...]:
    """Look at everything; a configuration that cannot be read is the only finding then."""
    try:
        config = load_config(config_path)
    except ConfigError as error:
        remedy = "mend the configuration; nothing else was looked at"
        return tuple(Finding("configuration", Level.PROBLEM, each, remedy) for each in error.mistakes)
    known = known_cell(config)
    return (
        Finding("configuration", Level.GOOD, f"{config_path} has no mistakes"),
        *doctor.judge_clock(clock_facts(config, known)),
        *doctor.judge_disk(disk_facts(config.directory)),
        *doctor.judge_keys(key_facts(config, known, passphrase)),
        *doctor.judge_network(network_facts(config, known)),
        *doctor.judge_devices(device_facts(config)),
    )


class _Timex(ctypes.Structure):
    """`struct timex` of Linux, up to what is read here."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("rest", ctypes.c_char * 256),
    )


def clock_facts(config: Config, known: "KnownCell") -> ClockFacts:
    """What the kernel knows of its clock, and how the newest block compares."""
    timex = _Timex()
    state = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    kept = None if state < 0 else state != TIME_ERROR
    error_s = timex.maxerror / 1e6 if kept else None
    return ClockFacts(kept, error_s, config.timing.gate_margin_real_ms / 1e3, _block_ahead_s(config, known))


def _block_ahead_s(config: Config, known: "KnownCell") -> float | None:
    with suppress(NodeError):
        clock = with_clock_file(config).clock
        if clock.speed == 1 and known.block_ns is not None:
            now_ns = clock.epoch_ns + time.time_ns() - clock.start_wall_ns
            return (known.block_ns - now_ns) / doctor.NS_PER_S
    return None


@dataclass(frozen=True, slots=True)
class KnownCell:
    """The members of the cell by this node's files, or why these cannot be read with what to do; and the cell time of
    the newest block, None before the first.
    """

    membership: Membership | None
    fault: tuple[str, str] | None = None
    block_ns: int | None = None


def known_cell(config: Config) -> KnownCell:
    """After the last block of the ledger, which is followed from its newest snapshot on; else the founding members."""
    try:
        if not (config.directory / LEDGER_FILE).exists():
            return KnownCell(Membership.founding(Genesis.decode(config.genesis_path.read_bytes())))
        with opened(config.directory) as (genesis, store):
            tip = reopen_fast(store, genesis, EnergyCell()).tip
            row = store.block(tip.height)
        return KnownCell(
            tip.membership, block_ns=None if row is None else decode_block(row.block).header.time_ns
        )
    except FileNotFoundError:
        return KnownCell(
            None, (f"{config.genesis_path}: no such file", "the founder of the cell gives it to every member")
        )
    except (InvalidGenesis, LedgerError, NodeError, OSError) as fault:
        return KnownCell(
            None,
            (f"the cell's members cannot be read: {fault}", "`wattswarm ledger verify` says what is wrong"),
        )


def disk_facts(directory: Path) -> DiskFacts:
    """Space, and the median time of a few small flushes into the data directory."""
    free = shutil.disk_usage(directory).free
    kinds = os.statvfs(directory)
    files = kinds.f_favail if kinds.f_files else None
    probe = directory / PROBE_FILE
    try:
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as fault:
        return DiskFacts(free, files, None, fault.strerror or str(fault))
    try:
        times = []
        for _ in range(FLUSHES):
            began_s = time.monotonic()
            os.write(descriptor, b"\0" * 512)
            os.fsync(descriptor)
            times.append(time.monotonic() - began_s)
        return DiskFacts(free, files, statistics.median(times))
    except OSError as fault:
        return DiskFacts(free, files, None, fault.strerror or str(fault))
    finally:
        os.close(descriptor)
        probe.unlink(missing_ok=True)


def key_facts(config: Config, known: KnownCell, passphrase: str | None) -> KeyFacts:
    """The key files, and whether the cell knows them."""
    directory = config.directory
    names = [IDENTITY_KEY_FILE, *([CONSENSUS_KEY_FILE] if (directory / CONSENSUS_KEY_FILE).exists() else [])]
    files, feed_key = [], None
    for name in names:
        try:
            key = load_key(directory / name, passphrase)
        except KeyFileError as fault:
            files.append((name, str(fault)))
            continue
        files.append((name, ""))
        feed_key = key.verify_key.encode() if name == IDENTITY_KEY_FILE else feed_key
    return KeyFacts(
        tuple(files),
        guard=(directory / GUARD_FILE).exists(),
        ledger=(directory / LEDGER_FILE).exists(),
        membership=_membership(config, known, feed_key),
    )


def _membership(config: Config, known: KnownCell, feed_key: bytes | None) -> tuple[str, str] | None:
    """What the cell knows of this key, and the remedy if that is not enough."""
    if known.membership is None or feed_key is None:
        return known.fault
    member = known.membership.by_feed_key(feed_key)
    if member is None:
        if config.node.joins:
            return "the cell does not know this key yet; the node waits to be admitted", ""
        remedy = "get the right genesis; if it was admitted later, set node.joins = true"
        return "the cell does not know this node's key", remedy
    if member.name.decode() != config.node.name:
        return f"the cell calls this key {member.name.decode()!r}", "mend node.name"
    if member.frozen_at is not None:
        return (
            f"{config.node.name} is frozen: it signed two things for one place",
            "found it anew, with new keys",
        )
    return f"{config.node.name} is a member of the cell", ""


def network_facts(config: Config, known: KnownCell) -> NetworkFacts:
    """Own addresses and those that the configuration has of others, by connecting to them."""
    running = is_locked(config.directory / LOCK_FILE)
    listens = tuple((each, _listening(each, running)) for each in config.network.listen)
    peers = tuple(
        doctor.PeerFacts(name, address, _unreached(address))
        for name, addresses in sorted(config.network.peers.items())
        if name != config.node.name
        for address in addresses
    )
    others, needed = 0, 0
    if known.membership is not None:
        members = known.membership.members
        own = next((each.id for each in members if each.name.decode() == config.node.name), b"")
        others, needed = sum(each.id != own for each in members), confirmations_needed(known.membership, own)
    return NetworkFacts(running, listens, peers, others, needed)


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock file, from the kernel's list; a lock of our own could be in its way."""
    try:
        inode = path.stat().st_ino
    except FileNotFoundError:
        return False
    locks = Path("/proc/locks").read_text("ascii").splitlines()
    return any(f":{inode} " in line and "FLOCK" in line for line in locks)


def _host_and_port(address: str) -> tuple[str, int]:
    _, _, host, _, port = address.split("/")
    return host, int(port)


def _unreached(address: str) -> str:
    """Why nothing answers there, "" if something does."""
    host, port = _host_and_port(address)
    try:
        socket.create_connection((host, port), CONNECT_S).close()
    except OSError as fault:
        return fault.strerror or str(fault)
    return ""


def _listening(address: str, running: bool) -> str:
    """What is wrong with an address of our own."""
    host, port = _host_and_port(address)
    if running:
        local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        kind = address.split("/")[1]
        return _unreached(f"/{kind}/{local}/tcp/{port}")
    try:
        family, kind_, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind_, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as fault:
        return fault.strerror or str(fault)
    return ""


def device_facts(config: Config) -> DeviceFacts:
    """The control process, and what the daemon says of itself where it serves that."""
    directory = config.directory
    running = is_locked(directory / LOCK_FILE)
    controlled = is_locked(directory / LOCK_NAME)
    fault = ""
    if config.profile_path is not None:
        try:
            with config.profile_path.open(encoding="utf-8", newline="") as lines:
                read_profile(lines, str(config.profile_path))
        except (OSError, ProfileError) as error:
            fault = str(error)
    return DeviceFacts(
        configured=len(config.site.ders),
        controlled=controlled,
        expected=running,
        last_words="" if controlled else next(_last_words(directory / "control.log"), ""),
        reasons=_reasons(config) if running else None,
        profile_fault=fault,
    )


def _last_words(path: Path) -> Iterator[str]:
    with suppress(OSError):
        yield from reversed(path.read_text("utf-8", "replace").splitlines()[-1:])


def _reasons(config: Config) -> tuple[str, ...] | None:
    """What `/readyz` of the running daemon says; None where nothing can be asked."""
    listen = config.metrics.listen
    if listen is None or listen.endswith(":0"):
        return None
    host, _, port = listen.rpartition(":")
    with suppress(OSError), socket.create_connection((host.strip("[]"), int(port)), CONNECT_S) as link:
        link.settimeout(CONNECT_S)
        link.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        reply = b""
        while part := link.recv(4096):
            reply += part
        head, _, body = reply.partition(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 503"):
            return tuple(body.decode("utf-8", "replace").splitlines())
        return ()
    return (f"nothing answers at {listen}",)
