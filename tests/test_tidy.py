"""The house rules, enforced: layers, purity, size, integers, words, honest tests, links.

A failure lists every violation as file:line: rule. Below, each rule is shown to bite on a bad sample and
to leave a good one alone.
"""

import ast
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import room_rules
import tidy_rules
from tidy_rules import PACKAGES, Violation

ROOT = Path(__file__).parents[1]
CODE_FOLDERS = (*PACKAGES, "tests", "scripts", "benchmarks")
TEXT_SUFFIXES = {".py", ".md", ".toml", ".txt", ".sh", ".cfg", ".json", ".csv", ".yml", ".yaml", ""}
TEXT_FOLDERS = (*CODE_FOLDERS, "docs", ".ci")


def files(*folders: str, suffixes: set[str]) -> Iterator[tuple[str, str]]:
    """Path from the root and text of every file with one of the suffixes."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in suffixes and path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def modules(*folders: str) -> list[tuple[str, str, ast.Module]]:
    """Path, text and syntax tree of every Python module."""
    return [(path, text, ast.parse(text, path)) for path, text in files(*folders, suffixes={".py"})]


def root_files() -> Iterator[tuple[str, str]]:
    """Text files in the repository's root that git would commit."""
    for path in sorted(ROOT.iterdir()):
        if path.is_file() and path.suffix in TEXT_SUFFIXES and path.name not in {".coverage", ".git"}:
            yield path.name, path.read_text(encoding="utf-8")


def expect_none(violations: list[Violation]) -> None:
    """Fails with the whole list, one per line."""
    assert not violations, "\n" + "\n".join(map(str, violations))


def test_packages_import_only_what_their_layer_may() -> None:
    expect_none([found for path, _, tree in modules(*PACKAGES) for found in tidy_rules.layers(path, tree)])


def test_rooms_import_downwards() -> None:
    expect_none([found for path, _, tree in modules(*PACKAGES) for found in room_rules.rooms(path, tree)])


def test_cores_are_pure() -> None:
    expect_none([found for path, _, tree in modules(*PACKAGES) for found in tidy_rules.purity(path, tree)])


def test_files_and_functions_are_small() -> None:
    expect_none([found for module in modules(*CODE_FOLDERS) for found in tidy_rules.size(*module)])


def test_what_nodes_agree_on_has_no_float() -> None:
    expect_none([found for path, _, tree in modules(*PACKAGES) for found in tidy_rules.integers(path, tree)])


def test_everything_public_says_what_it_is() -> None:
    expect_none(
        [found for path, _, tree in modules(*CODE_FOLDERS) for found in tidy_rules.docstrings(path, tree)]
    )


def test_file_names_say_what_is_inside() -> None:
    expect_none([found for path, _, _ in modules(*CODE_FOLDERS) for found in tidy_rules.names(path)])


def test_no_unfinished_business() -> None:
    expect_none(
        [found for path, text, _ in modules(*CODE_FOLDERS) for found in tidy_rules.finished(path, text)]
    )


def test_tests_are_honest() -> None:
    expect_none(
        [found for path, _, tree in modules("tests") for found in tidy_rules.honest_tests(path, tree)]
    )


def test_links_lead_somewhere() -> None:
    pages = [*root_files(), *files(*TEXT_FOLDERS, suffixes={".md"})]
    expect_none(
        [
            found
            for path, text in pages
            if path.endswith(".md")
            for found in tidy_rules.broken_links(path, text, lambda target: (ROOT / target).exists())
        ]
    )


def test_nothing_names_a_machine_or_a_registry() -> None:
    texts = [*root_files(), *files(*TEXT_FOLDERS, suffixes=TEXT_SUFFIXES)]
    own = {"tests/tidy/tidy_rules.py", "tests/test_tidy.py"}
    expect_none(
        [found for path, text in texts if path not in own for found in tidy_rules.machine_paths(path, text)]
    )


def tree_of(source: str) -> ast.Module:
    """The syntax tree of an indented sample."""
    return ast.parse(textwrap.dedent(source))


BAD_ROOMS = {
    "ledger/merkle.py": "from ledger.records.entries import Entry",
    "ledger/records/a.py": "def f():\n    from ledger.chain import chain",
    "ledger/attic/a.py": "import ledger.merkle",
    "devices/models/a.py": "from devices.control.control import ControlCore",
    "node/core/a.py": "import node.daemon.runtime",
    "node/a.py": "from node.web.app import node_app",
}


@pytest.mark.parametrize("path", BAD_ROOMS)
def test_the_room_rule_bites(path: str) -> None:
    assert len(list(room_rules.rooms(path, tree_of(BAD_ROOMS[path])))) == 1


def test_rooms_may_import_downwards() -> None:
    below = tree_of("from ledger.records.entries import Entry\nfrom ledger import limits")
    expect_none(list(room_rules.rooms("ledger/chain/a.py", below)))


BAD_LAYERS = {
    "ledger/a.py": "from market.orders import Order",
    "market/a.py": "def f():\n    import devices.der",
    "devices/a.py": "import ledger",
    "node/a.py": "def f():\n    from sim.homes import households",
    "node/cli/other.py": "def f():\n    import sim",
    "node/cli/root.py": "import sim.testnet",
    "node/transport/memory.py": "import libp2p.host",
    "sim/a.py": "from . import b",
    "node/b.py": "import importlib\nimportlib.import_module('sim.testnet')",
}


@pytest.mark.parametrize("path", BAD_LAYERS)
def test_the_layer_rule_bites(path: str) -> None:
    assert len(list(tidy_rules.layers(path, tree_of(BAD_LAYERS[path])))) == 1


GOOD_LAYERS = {
    "market/a.py": "from ledger.merkle import root\nimport numpy",
    "node/cli/root.py": "def f():\n    from sim.testnet import run",
    "node/transport/libp2p/host.py": "import libp2p",
    "sim/a.py": "import node, market, devices, ledger, sim.b",
}


@pytest.mark.parametrize("path", GOOD_LAYERS)
def test_the_layer_rule_lets_the_allowed_pass(path: str) -> None:
    expect_none(list(tidy_rules.layers(path, tree_of(GOOD_LAYERS[path]))))


IMPURE = [
    "import time",
    "from os import path",
    "def f():\n    import socket",
    "import trio.lowlevel",
    "async def f(): ...",
    "def f():\n    return open('x')",
    "from datetime import datetime\ndatetime.now()",
    "import numpy as np\nnp.random.rand(3)",
    "import numpy as np\nnp.random.default_rng()",
    "from pathlib import Path\nPath('x').read_text()",
    "from nacl.signing import SigningKey\nSigningKey.generate()",
    "print('x')",
]


@pytest.mark.parametrize("source", IMPURE)
def test_the_purity_rule_bites_in_cores_and_not_in_shells(source: str) -> None:
    assert list(tidy_rules.purity("ledger/a.py", tree_of(f'"""A core."""\n{source}')))
    expect_none(list(tidy_rules.purity("ledger/a.py", tree_of(f'"""Shell: a store."""\n{source}'))))


def test_the_purity_rule_knows_types_protocols_and_seeds() -> None:
    source = '''
    """A core."""
    from typing import TYPE_CHECKING, Protocol
    import numpy as np
    if TYPE_CHECKING:
        import trio
    class Transport(Protocol):
        async def run(self) -> None: ...
    def draw(seed):
        return np.random.default_rng(seed)
    '''
    expect_none(list(tidy_rules.purity("node/interface.py", tree_of(source))))


def test_the_size_rule_bites() -> None:
    long_function = '"""Doc."""\ndef f():\n' + "    x = 1\n" * 70
    assert "71 lines" in str(next(tidy_rules.size("a.py", long_function, tree_of(long_function))))
    long_file = '"""Doc."""\n' + "x = 1\n" * 399
    assert "400 lines" in str(next(tidy_rules.size("a.py", long_file, tree_of(long_file))))
    fits = '"""Doc."""\ndef f():\n' + "    x = 1\n" * 69
    expect_none(list(tidy_rules.size("a.py", fits, tree_of(fits))))


@pytest.mark.parametrize(
    "source", ["x = 0.5", "x = 1 / 2", "x = 4\nx /= 2", "float(3)", "a.astype(np.float64)"]
)
def test_the_integer_rule_bites_where_nodes_agree(source: str) -> None:
    assert len(list(tidy_rules.integers("market/clearing.py", tree_of(source)))) == 1
    assert len(list(tidy_rules.integers("ledger/chain/journal.py", tree_of(source)))) == 1
    for elsewhere in ("market/bidding.py", "market/reporting/page.py", "devices/dispatch/dispatch.py"):
        expect_none(list(tidy_rules.integers(elsewhere, tree_of(source))))


def test_the_docstring_rule_bites() -> None:
    bad = 'x = 1\nclass Cell:\n    """Doc."""\n    def open(self): ...\ndef clear(): ...'
    lines = [violation.line for violation in tidy_rules.docstrings("market/a.py", tree_of(bad))]
    assert lines == [1, 5, 4]
    private = '"""Doc."""\nclass _Cell:\n    def open(self): ...\ndef _clear(): ...'
    expect_none(list(tidy_rules.docstrings("market/a.py", tree_of(private))))


def test_the_name_rule_bites() -> None:
    assert list(tidy_rules.names("market/price_utils.py"))
    assert list(tidy_rules.names("node/base.py"))
    expect_none(list(tidy_rules.names("ledger/database.py")))


def test_the_unfinished_rule_bites() -> None:
    assert list(tidy_rules.finished("a.py", "x = 1  # TO" + "DO: later"))
    expect_none(list(tidy_rules.finished("a.py", "x = 1  # todos los santos")))


DISHONEST = [
    "def test_a():\n    time.sleep(1)\n    assert True",
    "async def test_a():\n    await trio.sleep(1)\n    assert True",
    "@pytest.mark.skip\ndef test_a():\n    assert True",
    "@pytest.mark.xfail(strict=True)\ndef test_a():\n    assert True",
    "def test_a():\n    pytest.importorskip('x')\n    assert True",
    "def test_a():\n    f()",
    "def g():\n    return 1\ndef test_a():\n    g()",
]


@pytest.mark.parametrize("source", DISHONEST)
def test_the_honesty_rule_bites(source: str) -> None:
    assert len(list(tidy_rules.honest_tests("tests/test_a.py", tree_of(source)))) == 1


def test_the_honesty_rule_sees_assertions_in_functions_of_the_file() -> None:
    source = "def g():\n    assert 1\ndef test_a():\n    g()\ndef test_b():\n    with pytest.raises(X): f()"
    expect_none(list(tidy_rules.honest_tests("tests/test_a.py", tree_of(source))))


def test_the_honesty_rule_knows_properties_of_declared_errors() -> None:
    source = "@given(x)\ndef test_a(x):\n    try:\n        f(x)\n    except Malformed:\n        return"
    expect_none(list(tidy_rules.honest_tests("tests/test_a.py", tree_of(source))))
    without_given = source.removeprefix("@given(x)\n")
    assert list(tidy_rules.honest_tests("tests/test_a.py", tree_of(without_given)))


def test_the_link_rule_bites() -> None:
    page = (
        "[a](there.md) [b](../up.md#part) [c](https://x.org) [d](#here)\n```\n[e](nowhere)\n```\n[f](gone.md)"
    )
    found = list(tidy_rules.broken_links("docs/page.md", page, {"docs/there.md", "up.md"}.__contains__))
    assert [(violation.line, violation.rule) for violation in found] == [(5, "links: gone.md leads nowhere")]


@pytest.mark.parametrize(
    "line", ["see /wo" + "rk/main", "cd /ro" + "ot/x", "py" + "pi.org/simple", "--index" + "-url x"]
)
def test_the_machine_rule_bites(line: str) -> None:
    assert len(list(tidy_rules.machine_paths("README.md", line))) == 1
    expect_none(
        list(tidy_rules.machine_paths("README.md", "docs/wo" + "rk/plan.md, ../ho" + "me/x, /t" + "mp/cell"))
    )
