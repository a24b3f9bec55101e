"""Shell: the daemon as one nursery tree: network, control process, timers and signals around the turns of the core.

Exceptions propagate: whatever cannot be worked under ends the process with the status of its kind, after the devices
got their reversion values. One channel brings inputs to one task, which runs the turns; everything is bounded.
"""

import json
import resource
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import structlog
import trio

from devices.cell_clock import ClockSpec
from devices.errors import ControlError, ProfileError
from devices.process.control_client import ControlClient
from ledger.errors import Corrupt, KeyFileError, LocalError, PeerError
from ledger.files.errors import DirectoryInUse, StorageError
from ledger.store.archive import StoreArchive
from ledger.store.retention import Retention
from ledger.sync.replication import answer
from node import events as ev
from node.agreement.belonging import connectable
from node.configuration.config import Config, armings, clock_path, control_table, load_config, with_clock_file
from node.configuration.owner_settings import OwnerSettings
from node.constants import ADDRESSES, INPUTS_PER_TURN, INPUTS_WAITING, STALL_NS, VERSIONS
from node.daemon.assembly import assemble
from node.daemon.gateway_linking import GATEWAY_RATES, GATEWAY_SCOPE, Linking
from node.daemon.neighbours import read_neighbours
from node.daemon.operation_mounting import Operation
from node.daemon.startup import Opened, open_directory
from node.daemon.turns import Turns
from node.daemon.witnessing import WITNESS_RATES, WITNESS_SCOPE, Witnessing
from node.errors import ConfigError, NodeError
from node.exit_codes import ExitCode
from node.logs import open_log
from node.saying.spool import Spool
from node.transport.address_book import AddressBook
from node.transport.errors import AddressInUse, RequestRefused
from node.transport.inputs import input_of, input_of_devices
from node.transport.interface import Gossip, PeerUp, Transport
from node.transport.introductions import Introductions
from node.transport.outgoing import Outgoing
from node.web.live_feed import LiveFeed
from node.web.steering import Steering
from node.web.web_server_process import keep_web_server

CONTROL_CONFIG_FILE = "control.json"
CLOCK_POLL_S = 0.02
HAND_OVER = signal.SIGUSR1
"""Ends the daemon and leaves the control process, with its leases, to the daemon of another release."""
SPOOL_EVERY_S = 1.0
"""Real seconds between looks for instructions; a person gives them."""
STOP_DEVICES_S = 15.0
"""Real seconds until the daemon leaves even if the control process does not say that it has stopped."""


def run_daemon(config_path: Path, passphrase: str | None) -> ExitCode:
    """Run one node until it is asked to stop. Returns its exit status; everything is reported on standard error."""
    try:
        config = load_config(config_path)
    except ConfigError as error:
        for mistake in error.mistakes:
            sys.stderr.write(f"{mistake}\n")
        return ExitCode.USAGE
    log = open_log(config.node.name)
    # Until the daemon listens for them itself; a shell starts its background jobs with SIGINT ignored.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    try:
        opened = open_directory(config, passphrase)
        try:
            _load_network_library()
            for reason in opened.refused_snapshots:
                log.warning("snapshot_refused", reason=reason)
            log.info("ready", height=opened.tip.height, replayed_from=opened.base)
            config = _with_clock(config)
            trio.run(_Daemon(config, opened, log).run)
        finally:
            opened.close()
    except BaseException as error:  # noqa: BLE001 - every way to end has its status, and the unexpected one its trace
        return _explain(error, log)
    log.info("stopped")
    return ExitCode.OK


def _load_network_library() -> None:
    """Import the slowest library now, before the node says that it is ready."""
    import node.transport.libp2p.adapter  # noqa: F401


def _with_clock(config: Config) -> Config:
    """Wait for the clock file, if there is one."""
    path = clock_path(config)
    while path is not None and not path.exists():
        time.sleep(CLOCK_POLL_S)
    return with_clock_file(config)


def _explain(error: BaseException, log: structlog.typing.FilteringBoundLogger) -> ExitCode:
    """One line (and for a bug its trace) and the exit status of what ended the daemon."""
    cause = _first_cause(error)
    code = exit_code_of(cause)
    if code is ExitCode.OK:
        log.info("stopped")
    elif code is ExitCode.BUG:
        log.error("failed", reason=f"{type(cause).__name__}: {cause}", exc_info=error)
    else:
        log.error("refused" if code is ExitCode.USAGE else "failed", reason=str(cause), status=int(code))
    return code


def exit_code_of(cause: BaseException) -> ExitCode:
    """The exit status for an error that ended the daemon."""
    match cause:
        case KeyboardInterrupt():
            return ExitCode.OK
        case NodeError():
            return cause.exit_code
        case DirectoryInUse():
            return ExitCode.DIRECTORY_IN_USE
        case StorageError() | OSError():
            return ExitCode.STORAGE
        case AddressInUse():
            return ExitCode.NETWORK
        case ControlError():
            return ExitCode.DEVICES
        case Corrupt():
            return ExitCode.UNTRUSTED_STATE
        case KeyFileError() | ProfileError():
            return ExitCode.USAGE
        case LocalError():
            return ExitCode.UNTRUSTED_STATE
    return ExitCode.BUG


def _first_cause(error: BaseException) -> BaseException:
    """The leaf of an exception group that says most: anything before a cancellation."""
    while isinstance(error, BaseExceptionGroup):
        known = [each for each in error.exceptions if not isinstance(each, trio.Cancelled)]
        error = known[0] if known else error.exceptions[0]
    return error


class _Daemon:
    """What runs inside `trio.run`."""

    def __init__(self, config: Config, opened: Opened, log: structlog.typing.FilteringBoundLogger) -> None:
        clock = config.clock
        self._settings = OwnerSettings.load(config.directory)
        self._given, self._config = config, self._settings.applied_to(config)
        self._opened = opened
        self._clock = ClockSpec(clock.start_wall_ns, clock.epoch_ns, clock.speed)
        self._neighbours = read_neighbours(config, opened.genesis.cell_id)
        self._core = assemble(config, opened, self.now())
        self._operation = Operation(config, self._core, log, self.now)
        self._log = self._operation.log
        self._hands_over = False
        self._asked = trio.Event()
        self._inputs_in, self._inputs = trio.open_memory_channel[ev.Input](INPUTS_WAITING)
        self._live = LiveFeed(config.directory, self._core, self.now) if config.serves_pages else None

    def now(self) -> ev.Now:
        """Both clocks at this moment."""
        return ev.Now(time.monotonic_ns(), self._clock.cell_ns(time.time_ns()), self._config.clock.speed)

    async def run(self) -> None:
        """Until a signal: serve. Signals that come later change nothing: the devices are being stopped."""
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, HAND_OVER) as signals:
            await self._run(signals)

    async def _run(self, signals: AsyncIterator[int]) -> None:
        interval_s = self._core.ordering.calendar.interval_s
        control_config = self._config.directory / CONTROL_CONFIG_FILE
        rank = tuple(each.hex() for each in self._opened.tip.state.rules.formers)
        table = control_table(self._config, interval_s, self._opened.member.id.hex(), rank)
        control_config.write_text(json.dumps(table), "utf-8")
        control = ControlClient(control_config, self._config.directory, self._clock, interval_s)
        for arming in armings(self._config):
            control.arm(arming)
        if self._live is not None:
            look = lambda: self._asked.set()  # noqa: E731 - the event is another one after each look
            self._live.steering = Steering(self._given, self._core, control, self._settings, self.now, look)
            self._live.steering.begin()
        transport = self._transport()
        async with trio.open_nursery() as devices:
            await devices.start(control.run)
            try:
                await self._serve(control, transport, signals)
            finally:
                if self._hands_over or control.hands_back:
                    devices.cancel_scope.cancel()
                else:
                    await self._stop_devices(control)
                self._log.info("ended", **self._usage(transport))

    async def _stop_devices(self, control: ControlClient) -> None:
        """Give the devices their reversion values. If that fails their leases run out; why we end is the news."""
        with trio.CancelScope(shield=True), trio.move_on_after(STOP_DEVICES_S):
            try:
                await control.stop()
            except ControlError as fault:
                self._log.error("devices_not_stopped", reason=str(fault))

    async def _serve(self, control: ControlClient, transport: Transport, signals: AsyncIterator[int]) -> None:
        transport.serve(self._answer)
        async with trio.open_nursery() as nursery:
            await self._listen(nursery, transport)
            if self._neighbours:
                await nursery.start(self._witnessing().run)
            if self._config.gateway.side is not None:
                await nursery.start(self._gateway().run)
            introductions = self._introductions(transport)
            outgoing = Outgoing(transport, self._inputs_in.clone(), nursery, introductions)
            spool = Spool(self._config.directory)
            self._warn_of_unknown(self._config.network.peers)
            outgoing.set_members(connectable(self._core.gathering.membership))
            nursery.start_soon(outgoing.run)
            store, signer = self._opened.store, self._opened.signer
            kept = Retention(self._config.retention.blocks, self._config.retention.votes)
            kept.tidy(store, self._core.ordering.tip.height)
            turns = Turns(self._core, store, signer, control, outgoing, self._log, self.now, spool, kept)
            await nursery.start(self._operation.run, transport)
            await self._serve_pages(nursery, turns)
            if self._config.openadr.vtn is not None:
                nursery.start_soon(self._follow_vtn)
            nursery.start_soon(self._hear_network, transport, introductions)
            nursery.start_soon(introductions.run)
            nursery.start_soon(self._hear_devices, control)
            nursery.start_soon(self._hear_operator, spool)
            nursery.start_soon(self._take_turns, turns)
            await self._until_signal(signals)
            nursery.cancel_scope.cancel()

    async def _serve_pages(self, nursery: trio.Nursery, turns: Turns) -> None:
        """Start the page's web server, in a process of its own, if the configuration asks for one."""
        if self._live is None:
            return
        turns.tell = self._live.report
        await nursery.start(self._live.run)
        if self._config.web.serve:
            nursery.start_soon(keep_web_server, Path(self._config.file), self._config.directory, self._log)

    def _warn_of_unknown(self, addresses: Iterable[str]) -> None:
        """Addresses of somebody who is no member may be of one to come, or a name was mistyped."""
        members = self._core.gathering.membership.expected().everyone
        unknown = sorted(set(addresses) - {member.name.decode() for member in members})
        if unknown:
            self._log.warning("unknown_peers", names=unknown)

    def _transport(self) -> Transport:
        from node.transport.libp2p.adapter import Libp2pTransport

        signer = self._opened.signer
        return Libp2pTransport(signer.identity_key, signer.cell_id, self._config.network.listen)

    def _introductions(self, transport: Transport) -> Introductions:
        network = self._config.network
        book = AddressBook(network.peers, network.listen)
        own = book.own(self._config.node.name, network.addresses)
        return Introductions(book, transport, own, lambda: self.now().cell_ns)

    def _witnessing(self) -> Witnessing:
        from node.transport.libp2p.adapter import Libp2pTransport

        opened, listen = self._opened, self._config.witness.listen
        assert listen is not None, "neighbours without an address were refused"
        return Witnessing(
            self._config.directory,
            opened.genesis,
            opened.store,
            opened.signer,
            self._neighbours,
            Libp2pTransport(opened.signer.identity_key, WITNESS_SCOPE, [listen], rates=WITNESS_RATES),
            lambda: (self._core.ordering.tip, self._core.active and self._core.read_only is None),
            self._log,
        )

    def _gateway(self) -> Linking:
        from node.transport.libp2p.adapter import Libp2pTransport

        opened, listen = self._opened, self._config.gateway.listen
        assert listen is not None, "a gateway without an address was refused"
        line = Libp2pTransport(opened.signer.identity_key, GATEWAY_SCOPE, [listen], rates=GATEWAY_RATES)
        return Linking(self._config, opened, self._core, line, self._inputs_in.send, self.now, self._log)

    async def _listen(self, nursery: trio.Nursery, transport: Transport) -> None:
        addresses = await nursery.start(transport.run)
        self._log.info(
            "listening",
            addresses=list(addresses),
            cell=self._opened.genesis.cell_id.hex(),
            height=self._opened.tip.height,
        )

    async def _answer(self, peer: bytes, request: bytes) -> bytes:
        archive = StoreArchive(
            self._opened.store, self._core.ordering.proposed, lambda: self._core.ordering.tip.epochs
        )
        try:
            return answer(request, archive)
        except PeerError as fault:
            self._core.counters[f"request_refused_{type(fault).__name__}"] += 1
            raise RequestRefused(str(fault)) from fault

    async def _hear_network(self, transport: Transport, introductions: Introductions) -> None:
        async for event in transport.events:
            if isinstance(event, Gossip) and event.topic == ADDRESSES:
                introductions.hear(event)
                continue
            if isinstance(event, Gossip) and event.topic == VERSIONS:
                self._operation.versions.hear(event)
                continue
            if isinstance(event, PeerUp):
                introductions.met()
                self._operation.versions.met()
            await self._inputs_in.send(input_of(event))

    async def _follow_vtn(self) -> None:
        from node.demand.following import Following

        await Following(self._config, self._core.serving.demand, self.now, self._log).run()

    async def _hear_devices(self, control: ControlClient) -> None:
        async for message in control.messages:
            self._operation.observer.heard(message)
            if self._live is not None:
                self._live.tell(message)
            await self._inputs_in.send(input_of_devices(message))

    async def _hear_operator(self, spool: Spool) -> None:
        """What commands on this machine leave for us, until it is in our feed."""
        while True:
            self._asked = trio.Event()
            for name, asked in spool.waiting():
                await self._inputs_in.send(
                    ev.OperatorInstructed(name, asked.kind, asked.interval, asked.payload)
                )
            with trio.move_on_after(SPOOL_EVERY_S):
                await self._asked.wait()

    async def _take_turns(self, turns: Turns) -> None:
        turns.start()
        watched_ns = time.monotonic_ns()
        while True:
            now = self.now()
            due_ns = self._core.next_timer(now)
            inputs = list(self._waiting())
            if due_ns is not None and due_ns <= now.real_ns:
                missed_ns = max(due_ns, watched_ns)
                if now.real_ns - missed_ns > STALL_NS:
                    inputs.insert(0, ev.LoopStalled(missed_ns))
                inputs.append(ev.TimerDue())
            watched_ns = now.real_ns
            self._operation.observer.came_round()
            if inputs:
                turns.take(inputs)
                await trio.lowlevel.checkpoint()
                continue
            with trio.move_on_after(1.0 if due_ns is None else (due_ns - now.real_ns) / 1e9):
                turns.take((await self._inputs.receive(),))

    def _waiting(self) -> Iterable[ev.Input]:
        for _ in range(INPUTS_PER_TURN):
            try:
                yield self._inputs.receive_nowait()
            except trio.WouldBlock:
                return

    async def _until_signal(self, signals: AsyncIterator[int]) -> None:
        async for number in signals:
            self._log.info("stopping", signal=signal.Signals(number).name)
            self._hands_over = number == HAND_OVER
            return

    def _usage(self, transport: Transport) -> dict[str, object]:
        own = resource.getrusage(resource.RUSAGE_SELF)
        control = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "cpu_s": round(own.ru_utime + own.ru_stime, 3),
            "control_cpu_s": round(control.ru_utime + control.ru_stime, 3),
            "memory_mb": round(own.ru_maxrss / 1024, 1),
            "network": dict(transport.counters),
            "dropped": {name: count for name, count in self._core.counters.items() if count},
        }
