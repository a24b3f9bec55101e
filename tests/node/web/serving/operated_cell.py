"""A cell that has just been founded, with its operator's key, and what waits for a node of it to say."""

from pathlib import Path

from served_node import ServedNode

from ledger.files.directory import LEDGER_FILE
from ledger.records.genesis import Genesis
from ledger.store.store import Store
from node.cli.root import app
from node.instructions import Instruction
from node.saying.spool import Spool
from node.web.tokens import Role, TokenBook

FEEDER = """[grid]
import_price = 0.31
export_price = 0.04

[branches.substation]
[branches.north]
parent = "substation"
"""
WEB = '\n[web]\nlisten = "127.0.0.1:0"\n'


def found(directory: Path) -> None:
    """Two homes and a card of a third; the first is operator and dso and holds the cell's key."""

    def say(*arguments: str) -> None:
        app(list(arguments), exit_on_error=False, result_action="return_value")

    for number in range(3):
        say(
            "node", "init", str(directory / f"home-{number}"), "--name", f"home-{number}", "--branch", "north"
        )
    (directory / "feeder.toml").write_text(FEEDER, "utf-8")
    cards = [str(directory / f"home-{number}" / "member.toml") for number in range(2)]
    made = str(directory / "cell")
    say("cell", "init", made, *cards, "--feeder", str(directory / "feeder.toml"), "--operator", "home-0")
    genesis = (directory / "cell" / "genesis.cbor").read_bytes()
    for number in range(2):
        home = directory / f"home-{number}"
        for name in ("genesis.cbor", "members.toml"):
            (home / name).write_bytes((directory / "cell" / name).read_bytes())
        Store.open(home / LEDGER_FILE, Genesis.decode(genesis).cell_id, create=True).close()
        key = f'cell = "{directory / "cell"}"\n' if number == 0 else ""
        config = home / "node.toml"
        config.write_text(config.read_text("utf-8") + WEB + key, "utf-8")


def token(node: ServedNode, role: Role) -> str:
    """A token of a role."""
    book = TokenBook(node.directory)
    if any(each.name == role.value for each in book.tokens()):
        book.revoke(role.value)
    return book.add(role.value, role, 1)


def waiting(node: ServedNode) -> list[Instruction]:
    """What waits for the node to say."""
    return [asked for _, asked in Spool(node.directory).waiting()]
