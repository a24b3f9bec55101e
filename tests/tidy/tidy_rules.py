"""The house rules of DESIGN and CONTRIBUTING as functions: a file's path and source in, violations out.

Nothing here reads a file; tests/test_tidy.py does, and also shows each rule biting on a small bad sample.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

PACKAGES = ("ledger", "market", "devices", "node", "sim")
LAYERS = {
    "ledger": {"ledger"},
    "market": {"market", "ledger"},
    "devices": {"devices"},
    "node": {"node", "ledger", "market", "devices"},
    "sim": set(PACKAGES),
}
COMMAND_LINE_ROOT = "node/cli/root.py"
LIBP2P_ADAPTER = "node/transport/libp2p/"

MAX_FILE_LINES = 399
MAX_FUNCTION_LINES = 70

IMPURE_MODULES = frozenset(
    [
        "aiohttp",
        "asyncio",
        "concurrent",
        "ctypes",
        "fcntl",
        "getpass",
        "glob",
        "http",
        "httpx",
        "logging",
        "mmap",
        "multiprocessing",
        "os",
        "pymodbus",
        "queue",
        "random",
        "requests",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "socketserver",
        "sqlite3",
        "ssl",
        "structlog",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "trio",
        "urllib",
        "uuid",
    ]
)
NETWORK_MODULES = frozenset({"libp2p", "multiaddr"})
IMPURE_BUILTINS = frozenset({"open", "print", "input", "breakpoint"})
IMPURE_METHODS = frozenset(
    [
        "read_text",
        "write_text",
        "read_bytes",
        "write_bytes",
        "mkdir",
        "unlink",
        "rmdir",
        "touch",
        "iterdir",
        "rglob",
        "is_file",
        "is_dir",
        "now",
        "utcnow",
        "today",
    ]
)

NOT_AGREED = re.compile(r"market/(bid|forecast|report|compar|.*_command|cli)")
"""Modules of the market that no other node must agree with: what one member wishes, what people read."""
FLOAT_NAMES = frozenset({"float16", "float32", "float64", "true_divide", "mean", "average", "sqrt"})

VAGUE_NAMES = frozenset(
    {"util", "utils", "helper", "helpers", "manager", "managers", "common", "base", "misc"}
)
UNFINISHED = re.compile(r"#.*\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX"]) + r")\b")
MACHINE = re.compile(
    r"(?<![\w.\-/])/(?:work|root|Users)/|(?<![\w.\-/])/home/\w|/opt/(?:pypi|wheels)"
    r"|py" + r"pi\.org|pythonhosted\.org|(?:extra-)?index" + r"-url|find" + r"-links|trusted" + r"-host",
)
SKIPS = frozenset({"skip", "skipif", "skipIf", "skipUnless", "xfail", "importorskip", "SkipTest"})
CHECK_NAMES = re.compile(
    r"_?(assert|check|expect|verify|raises|warns|fail$|run_state_machine_as_test|benchmark)"
)


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule, where it is broken."""

    path: str
    line: int
    rule: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}"


def is_shell(tree: ast.Module) -> bool:
    """Whether the module names itself a shell: it may do I/O, read clocks and wait."""
    return (ast.get_docstring(tree) or "").startswith("Shell:")


def layers(path: str, tree: ast.Module) -> Iterator[Violation]:
    """Imports between packages, wherever in the file; sim and libp2p only where they are allowed."""
    package = path.split("/")[0]
    for node, module in imports(tree):
        top = module.split(".")[0]
        if not top:
            yield Violation(path, node.lineno, "layers: relative import; write the full name")
        elif path == COMMAND_LINE_ROOT and top == "sim":
            if isinstance(node, ast.stmt) and node in tree.body:
                yield Violation(path, node.lineno, "layers: sim is imported lazily here, inside a function")
        elif top in PACKAGES and top not in LAYERS[package]:
            yield Violation(path, node.lineno, f"layers: {package} must not import {top}")
        elif top == "libp2p" and not path.startswith(LIBP2P_ADAPTER):
            yield Violation(path, node.lineno, f"layers: only {LIBP2P_ADAPTER} imports libp2p")


def purity(path: str, tree: ast.Module) -> Iterator[Violation]:
    """A core does no I/O, reads no clock, draws no random number and awaits nothing."""
    if is_shell(tree):
        return
    waits_by_contract = {
        id(method)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and any("Protocol" in ast.unparse(base) for base in node.bases)
        for method in node.body
    }
    for statement, module in imports(tree):
        top = module.split(".")[0]
        if path.startswith("sim/") and draws_from_a_seed(statement):
            continue
        if top in IMPURE_MODULES or (top in NETWORK_MODULES and not path.startswith(LIBP2P_ADAPTER)):
            yield Violation(
                path, statement.lineno, f"purity: a core imports {module} (is it a Shell: module?)"
            )
    for node in ast.walk(tree):
        if isinstance(node, ast.Await) or (
            isinstance(node, ast.AsyncFunctionDef) and id(node) not in waits_by_contract
        ):
            yield Violation(path, node.lineno, "purity: a core waits for nothing")
        if isinstance(node, ast.Call) and (reason := impure_call(node)):
            yield Violation(path, node.lineno, f"purity: {reason}")


def draws_from_a_seed(statement: ast.stmt) -> bool:
    """Whether this imports `Random` alone: a seeded world's generator, never the module's shared one."""
    return (
        isinstance(statement, ast.ImportFrom)
        and statement.module == "random"
        and [alias.name for alias in statement.names] == ["Random"]
    )


def impure_call(call: ast.Call) -> str | None:
    """Why a core must not make this call, or None."""
    name = ast.unparse(call.func)
    last = name.rsplit(".", 1)[-1]
    if name in IMPURE_BUILTINS:
        return f"a core calls {name}()"
    if isinstance(call.func, ast.Attribute) and last in IMPURE_METHODS:
        return f"a core calls {name}()"
    if name in {"SigningKey.generate", "PrivateKey.generate"} or name.endswith(".SigningKey.generate"):
        return f"{name}() draws a random key"
    from_module = name.startswith(("np.random.", "numpy.random."))
    seeded_by_name = last in {"default_rng", "Random"}
    if (from_module and not seeded_by_name) or (seeded_by_name and not call.args):
        return f"{name}() draws unseeded numbers"
    return None


def size(path: str, source: str, tree: ast.Module) -> Iterator[Violation]:
    """Files under 400 lines, functions of at most 70."""
    lines = source.count("\n") + (not source.endswith("\n"))
    if lines > MAX_FILE_LINES:
        yield Violation(path, lines, f"size: {lines} lines, at most {MAX_FILE_LINES}")
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            length = node.end_lineno - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                yield Violation(
                    path, node.lineno, f"size: {node.name} has {length} lines, at most {MAX_FUNCTION_LINES}"
                )


def integers(path: str, tree: ast.Module) -> Iterator[Violation]:
    """No float where nodes must agree: the ledger's cores, the market but for bids, forecasts and reports."""
    if not path.startswith(("ledger/", "market/")) or NOT_AGREED.match(path) or is_shell(tree):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield Violation(path, node.lineno, f"integers: float literal {node.value}")
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            yield Violation(path, node.lineno, "integers: true division")
        elif isinstance(node, ast.Name) and node.id == "float":
            yield Violation(path, node.lineno, "integers: float")
        elif isinstance(node, ast.Attribute) and node.attr in FLOAT_NAMES:
            yield Violation(path, node.lineno, f"integers: .{node.attr}")


def docstrings(path: str, tree: ast.Module) -> Iterator[Violation]:
    """Every module, and every public function, class and method outside the tests, says what it is."""
    if not ast.get_docstring(tree):
        yield Violation(path, 1, "docstrings: the module has none")
    if path.startswith("tests/"):
        return
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    owners: list[ast.Module | ast.ClassDef] = [tree, *classes]
    for owner in owners:
        if isinstance(owner, ast.ClassDef) and owner.name.startswith("_"):
            continue
        for node in owner.body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            decorated = {ast.unparse(decorator).rsplit(".", 1)[-1] for decorator in node.decorator_list}
            if node.name.startswith("_") or decorated & {"overload", "override", "setter"}:
                continue
            if not ast.get_docstring(node):
                yield Violation(path, node.lineno, f"docstrings: public {node.name} has none")


def names(path: str) -> Iterator[Violation]:
    """A file's name says what is in it."""
    vague = set(PurePosixPath(path).stem.split("_")) & VAGUE_NAMES
    if vague:
        yield Violation(path, 1, f"names: {vague.pop()!r} says nothing about what is inside")


def finished(path: str, source: str) -> Iterator[Violation]:
    """No notes about work that is not done."""
    for number, line in enumerate(source.splitlines(), 1):
        if UNFINISHED.search(line):
            yield Violation(path, number, "finished: an issue is the place for this note")


def honest_tests(path: str, tree: ast.Module) -> Iterator[Violation]:
    """Tests never sleep, are never skipped, and each asserts something."""
    functions = {
        node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rsplit(".", 1)[-1] == "sleep":
            yield Violation(
                path, node.lineno, "tests: a test never sleeps; wait for the event or move the clock"
            )
        if isinstance(node, ast.Attribute) and node.attr in SKIPS:
            yield Violation(path, node.lineno, f"tests: {node.attr}; a test runs or is not there")
    for name, function in functions.items():
        if name.startswith("test_") and not (asserts(function, functions, set()) or only_declared(function)):
            yield Violation(path, function.lineno, f"tests: {name} asserts nothing")


def asserts(
    function: ast.AST, functions: dict[str, ast.FunctionDef | ast.AsyncFunctionDef], seen: set[str]
) -> bool:
    """Whether a test asserts, itself or through functions of its file or functions named after checking."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert | ast.Raise):
            return True
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rsplit(".", 1)[-1]
            if CHECK_NAMES.match(name):
                return True
            if name in functions and name not in seen:
                seen.add(name)
                if asserts(functions[name], functions, seen):
                    return True
    return False


def only_declared(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a property says that nothing but a declared exception ever comes out."""
    is_property = any(ast.unparse(decorator).startswith("given") for decorator in function.decorator_list)
    return is_property and any(
        (isinstance(node, ast.ExceptHandler) and node.type is not None)
        or (isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"))
        for node in ast.walk(function)
    )


def machine_paths(path: str, source: str) -> Iterator[Violation]:
    """Nothing committed names a developer's machine or a package registry."""
    for number, line in enumerate(source.splitlines(), 1):
        if found := MACHINE.search(line):
            yield Violation(
                path, number, f"paths: {found.group().strip()!r} belongs to a machine, not to the project"
            )


def broken_links(path: str, source: str, exists: Callable[[str], bool]) -> Iterator[Violation]:
    """Relative links of a Markdown file lead to files; `exists` takes a path from the repository's root."""
    fenced = False
    for number, line in enumerate(source.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        if fenced:
            continue
        for target in re.findall(r"\]\(<?([^)\s>]+)", re.sub(r"`[^`]*`", "", line)):
            plain = target.split("#")[0]
            if not plain or re.match(r"[a-z][a-z0-9+.-]*:", plain):
                continue
            if not exists(join(path, plain)):
                yield Violation(path, number, f"links: {target} leads nowhere")


def join(path: str, target: str) -> str:
    """The link's target from the repository's root, dots resolved."""
    parts: list[str] = [] if target.startswith("/") else list(PurePosixPath(path).parent.parts)
    for part in PurePosixPath(target.lstrip("/")).parts:
        if part == "..":
            if not parts:
                return "outside"
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def imports(tree: ast.Module) -> Iterator[tuple[ast.stmt | ast.Call, str]]:
    """Every import anywhere in the module, but for those only the type checker sees."""
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            yield node, "" if node.level else (node.module or "")
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            yield from ((node, ast.literal_eval(name)) for name in node.args[:1] if is_text(name))


def is_text(node: ast.expr) -> bool:
    """Whether the expression is a string literal."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
