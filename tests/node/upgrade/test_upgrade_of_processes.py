"""Upgrades of a real node: each ends in the right version, and one control process holds the devices all along."""

import json
import re
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
from cell_of_processes import Cell, ended, found, is_alive
from securesystemslib.signer import CryptoSigner

from devices.process.control_files import LOCK_NAME
from node.configuration.config import load_config
from node.errors import InputRefusedError
from node.founding.founding import CONFIG_FILE
from node.operation.examination import is_locked
from node.upgrade.errors import ReleaseRefusedError
from node.upgrade.installation import release_path
from node.upgrade.publishing import make_release, make_root
from node.upgrade.release import Release
from node.upgrade.supervisor_files import UpgradeFiles
from node.upgrade.upgrading import Outcome, upgrade
from sim.testnet.layout import DAEMON_LOG
from sim.testnet.processes import Daemon

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("daemon")]

ROOT = Path(__file__).parents[3]
NOW = datetime.now(UTC).replace(microsecond=0)
LATER = NOW + timedelta(days=30)
KEYS = [CryptoSigner.generate_ed25519() for _ in range(3)]
ROOT_METADATA = make_root(KEYS, 2, LATER)
CRASH = 'raise SystemExit("planted")\n'


def wheel(place: Path, version: str, changed: dict[str, str]) -> Path:
    """This very program as a wheel of another version, with some files changed."""
    target = place / f"wattswarm-{version}-py3-none-any.whl"
    info = f"wattswarm-{version}.dist-info"
    files = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for package in ("ledger", "market", "devices", "node")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    files |= {name: text.encode() for name, text in changed.items()}
    files |= {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: wattswarm\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": b"[console_scripts]\nwattswarm = node.cli.root:main\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"]).encode()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target


class Published:
    """A publisher of releases."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.number = 0

    def release(
        self,
        version: str,
        changed: dict[str, str] | None = None,
        signers: list[CryptoSigner] = KEYS[:2],
        expires: datetime = LATER,
    ) -> Path:
        self.number += 1
        place = self.place / f"{self.number}"
        place.mkdir(parents=True)
        made = wheel(place, version, changed or {})
        target = place / "a.release"
        release = Release(version, (1,), (made.name,))
        make_release(target, ROOT_METADATA, signers, release, [made], number=self.number, expires=expires)
        return target


class Supervised:
    """One node under its supervisor."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        (self.daemon,) = cell.daemons
        self.config = load_config(self.daemon.directory / CONFIG_FILE)

    def start(self) -> None:
        with (self.daemon.directory / DAEMON_LOG).open("ab") as log:
            self.daemon.process = subprocess.Popen(
                [sys.executable, "-m", "node.cli.root", "node", "supervise", "--config", self.config.file],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def upgrade(self, file: Path) -> Outcome:
        said: list[str] = []
        with self.never_unguarded():
            outcome = upgrade(self.config, file, said.append)
        assert len(said) == 3
        return outcome

    @contextmanager
    def never_unguarded(self) -> Iterator[None]:
        """Look all the time whether a control process holds the devices, and expect it always did."""
        over, looks = threading.Event(), []

        def look() -> None:
            while not over.is_set():
                looks.append(is_locked(self.daemon.directory / LOCK_NAME))
                over.wait(0.05)

        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()
        assert len(looks) > 10
        assert all(looks)

    def daemon_command(self) -> str:
        """The command line of the daemon that runs below the supervisor."""
        assert self.daemon.process is not None
        children = Path(
            f"/proc/{self.daemon.process.pid}/task/{self.daemon.process.pid}/children"
        ).read_text()
        (pid,) = children.split()
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()

    def trades_on(self, starts: int) -> None:
        """Wait until the daemon has started so often, decides blocks again, and holds its devices."""
        view = self.daemon.view

        def again() -> bool:
            attached = len(self.events("control"))
            return view.starts >= starts and view.active and attached >= starts

        trio.run(self.cell.wait, again, 500.0, f"start {starts}")
        assert view.starts == starts
        trio.run(self.cell.blocks, 1)

    def events(self, name: str) -> list[dict[str, object]]:
        lines = (self.daemon.directory / DAEMON_LOG).read_text("utf-8").splitlines()
        parsed = [json.loads(line) for line in lines if line.startswith("{")]
        return [event for event in parsed if event.get("event") == name]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervised]:
    """A node under its supervisor, running the installation's own release, with a block."""
    cell = found(tmp_path_factory.mktemp("upgrade") / "cell", 1, interval_real_s=2.0, intervals=390)
    (daemon,) = cell.daemons
    (daemon.directory / "release-root.json").write_bytes(ROOT_METADATA)
    path = daemon.directory / CONFIG_FILE
    # A testnet's control process leaves 30 s after its daemon; on a busy machine a start takes longer.
    text = re.sub(r"linger_real_s = [0-9.]+", "linger_real_s = 300.0", path.read_text("utf-8"))
    assert "linger_real_s = 300.0" in text
    path.write_text(f'{text}\n[upgrade]\nroot = "release-root.json"\ntrial_real_s = 2.0\n', "utf-8")
    supervised = Supervised(cell)
    with ended(cell):
        supervised.start()
        cell.prepared.start_clock(time.time_ns(), 3.0)
        supervised.trades_on(1)
        yield supervised
        assert trio.run(cell.stop) == {daemon.name: 0}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    return Published(tmp_path_factory.mktemp("published"))


def control_pid(node: Supervised) -> int:
    """The control process that the newest daemon attached to; it lives."""
    node.daemon.follow()
    pid = node.daemon.view.control_pid
    assert pid is not None
    assert is_alive(pid)
    return pid


def program_of(pid: int) -> str:
    """What a process was started with."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()


def test_a_good_release_runs_after_its_trial_and_its_own_control_process_has_taken_the_devices_over(
    node: Supervised, published: Published
) -> None:
    held_by, starts = control_pid(node), node.daemon.view.starts
    assert program_of(held_by) == sys.executable
    outcome = node.upgrade(published.release("0.2.0"))
    assert (outcome.kept, outcome.runs, outcome.reason) == (True, "0.2.0", "")
    assert str(release_path(node.config.directory, "0.2.0")) in node.daemon_command()
    assert UpgradeFiles(node.config.directory).memory().current == "0.2.0"
    node.trades_on(starts + 1)
    holds = control_pid(node)
    assert holds != held_by
    assert program_of(holds).startswith(str(release_path(node.config.directory, "0.2.0")))
    assert [event["pid"] for event in node.events("control")][-2:] == [held_by, holds]


CYCLE = "    def cycle(self, now: Instant) -> Outcome:\n"


@pytest.mark.parametrize(
    "changed",
    [
        {"devices/process/control_process.py": CRASH},
        {
            "devices/control/control.py": (ROOT / "devices/control/control.py")
            .read_text("utf-8")
            .replace(CYCLE, f"{CYCLE}        if len(self.cycles) > 9:\n            {CRASH}")
        },
    ],
    ids=["before it takes over", "after a second of holding the devices"],
)
def test_a_release_whose_control_process_crashes_is_given_up_and_the_devices_go_back(
    node: Supervised, published: Published, changed: dict[str, str]
) -> None:
    held_by, starts, command = control_pid(node), node.daemon.view.starts, node.daemon_command()
    runs = UpgradeFiles(node.config.directory).memory().current
    version = f"9.{published.number}"
    outcome = node.upgrade(published.release(version, changed))
    assert (outcome.kept, outcome.runs) == (False, runs)
    assert "ended with status 7" in outcome.reason
    node.trades_on(starts + 2)  # the release on trial opened the directory too
    assert node.daemon_command() == command
    assert control_pid(node) == held_by


def test_a_release_that_crashes_is_given_up_by_itself_and_the_one_before_it_trades_on(
    node: Supervised, published: Published
) -> None:
    held_by, starts, command = control_pid(node), node.daemon.view.starts, node.daemon_command()
    runs = UpgradeFiles(node.config.directory).memory().current
    outcome = node.upgrade(published.release("9.9.9", {"node/daemon/runtime.py": CRASH}))
    assert (outcome.kept, outcome.runs) == (False, runs)
    assert "ended with status" in outcome.reason
    node.trades_on(starts + 1)
    assert node.daemon_command() == command
    assert control_pid(node) == held_by


def test_what_is_unsigned_expired_corrupted_or_older_changes_nothing(
    node: Supervised, published: Published
) -> None:
    command, starts = node.daemon_command(), node.daemon.view.starts
    newest = published.release("9.9.8")
    with pytest.raises(ReleaseRefusedError, match="not newer"):
        upgrade(node.config, published.release("0.0.9"), str)
    for file, words in (
        (newest, "never goes back"),
        (published.release("9.9.8", signers=KEYS[:1]), "not signed by enough"),
        (published.release("9.9.8", expires=NOW - timedelta(days=1)), "have expired"),
        (corrupted(published.release("9.9.8")), "damaged"),
    ):
        with pytest.raises(ReleaseRefusedError, match=words):
            upgrade(node.config, file, str)
    assert node.daemon_command() == command
    node.daemon.follow()
    assert node.daemon.view.starts == starts
    assert not release_path(node.config.directory, "9.9.8").exists()


def corrupted(file: Path) -> Path:
    """With one byte of the wheel changed."""
    content = bytearray(file.read_bytes())
    content[len(content) * 3 // 4] ^= 1
    file.write_bytes(content)
    return file


def test_without_a_supervisor_or_pinned_keys_nothing_is_tried(tmp_path: Path, published: Published) -> None:
    cell = found(tmp_path / "cell", 1)
    path = cell.daemons[0].directory / CONFIG_FILE
    with pytest.raises(InputRefusedError, match=r"upgrade\.root: is missing"):
        upgrade(load_config(path), tmp_path, str)
    with path.open("a", encoding="utf-8") as file:
        file.write('\n[upgrade]\nroot = "release-root.json"\n')
    (path.parent / "release-root.json").write_bytes(ROOT_METADATA)
    with pytest.raises(InputRefusedError, match="wattswarm node supervise"):
        upgrade(load_config(path), tmp_path, str)
    assert Daemon(path.parent).running is False
