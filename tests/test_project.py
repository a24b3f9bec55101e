"""What a new user meets first: make, set-up, exact versions, licence, and the maker of the sample data."""

import ast
import os
import re
import runpy
import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tidy_rules import imports

ROOT = Path(__file__).parents[1]
PACKAGES = {"ledger", "market", "devices", "node", "sim"}
IMPORT_NAMES = {
    "_pytest": "pytest",
    "nacl": "pynacl",
    "paho": "paho-mqtt",
    "pytest_trio": "pytest-trio",
    "sklearn": "scikit-learn",
    "sunspec2": "pysunspec2",
    "yaml": "pyyaml",
}
MAKES_A_VECTOR = {"pandapower"}
"""In an environment of its own: its numbers are in the repository, its dependencies are not."""
TARGETS = {"setup", "demo", "test", "lint", "bench", "soak", "clean"}


def project() -> dict[str, Any]:
    """The [project] table."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def distribution(requirement: str) -> str:
    """The normalised name in a requirement."""
    name = re.match(r"[A-Za-z0-9_.-]+", requirement)
    assert name is not None
    return re.sub(r"[-_.]+", "-", re.split(r"[<>=!~\[]", name.group())[0]).lower()


def constraints() -> dict[str, str]:
    """Exact version by distribution."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][\w.+!]*", line) for line in pinned)
    return {distribution(line.split("==")[0]): line.split("==")[1] for line in pinned}


def third_party(*folders: str) -> set[str]:
    """Distributions that the modules in the folders import when they run, wherever they do."""
    trees = [ast.parse(path.read_text()) for folder in folders for path in (ROOT / folder).rglob("*.py")]
    found = {module.split(".")[0] for tree in trees for _, module in imports(tree)}
    own = {path.stem for path in (ROOT / "tests").rglob("*.py")}
    outside = found - PACKAGES - set(sys.stdlib_module_names) - own
    return {distribution(IMPORT_NAMES.get(name, name)) for name in outside}


def run(*command: str, path: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a command in the repository; `path` goes before the system's programs."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")} | environment
    if path is not None:
        variables["PATH"] = f"{path}{os.pathsep}{variables['PATH']}"
    return subprocess.run(
        command,
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        timeout=300,
        stdin=subprocess.DEVNULL,
    )


def program(folder: Path, name: str, script: str) -> Path:
    """An executable shell script standing in for a system program."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_every_dependency_has_an_exact_version() -> None:
    optional = project()["optional-dependencies"].values()
    wanted = [*project()["dependencies"], *(each for extra in optional for each in extra)]
    assert {distribution(requirement) for requirement in wanted} <= set(constraints())


def test_every_import_is_declared() -> None:
    needed = {distribution(requirement) for requirement in project()["dependencies"]}
    extras = project()["optional-dependencies"]
    dev, fuzz = ({distribution(each) for each in extras[name]} for name in ("dev", "fuzz"))
    assert third_party(*PACKAGES) - needed == set()
    assert third_party("tests", "benchmarks") - needed - dev == set()
    assert third_party("scripts") - needed - dev - {"scripts"} == fuzz | MAKES_A_VECTOR


def test_libp2p_is_pinned_exactly() -> None:
    pins = [requirement for requirement in project()["dependencies"] if distribution(requirement) == "libp2p"]
    assert pins == [f"libp2p=={constraints()['libp2p']}"]


def test_make_alone_lists_every_target() -> None:
    listed = set(re.findall(r"^  make (\w+) ", run("make").stdout, re.MULTILINE))
    assert TARGETS | {"help"} <= listed


def test_make_demo_runs_the_testnet_and_writes_the_report() -> None:
    recipe = run("make", "-n", "demo").stdout
    assert "testnet run --nodes 8 --intervals 24 --speed 1200 --data-dir" in recipe
    assert "market report" in recipe
    assert "--html demo/report.html" in recipe


def test_a_build_machine_runs_lint_then_tests() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert script.index("make lint") < script.index("make test")
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_scripts_are_sound_and_executable() -> None:
    for path in [*(ROOT / "scripts").glob("*.sh"), ROOT / ".ci" / "run"]:
        assert run("bash", "-n", str(path)).returncode == 0, path
        assert os.access(path, os.X_OK), path
        assert "set -euo pipefail" in path.read_text(), path


def test_an_old_python_is_refused_by_name(tmp_path: Path) -> None:
    old = program(
        tmp_path, "python3.8", 'case "$*" in *version*--*|--version) echo Python 3.8.1;; *) exit 1;; esac'
    )
    done = run("scripts/setup.sh", str(tmp_path / "venv"), PYTHON=str(old))
    assert done.returncode != 0
    assert "is Python 3.8.1; wattswarm needs Python 3.11 or later" in done.stderr


def test_a_missing_python_is_named() -> None:
    done = run("scripts/setup.sh", PYTHON="/nowhere/python3")
    assert done.returncode != 0
    assert "PYTHON=/nowhere/python3: no such program" in done.stderr


def test_without_root_the_one_command_is_printed(tmp_path: Path) -> None:
    program(tmp_path, "id", "echo 1000")
    program(tmp_path, "apt-get", "exit 99")
    done = run("scripts/system_packages.sh", path=tmp_path, PYTHON=sys.executable, CC="false")
    assert done.returncode == 1
    assert re.search(
        r"^    sudo apt-get update && sudo apt-get install -y gcc libc6-dev libgmp-dev", done.stderr, re.M
    )


def test_with_root_and_apt_the_packages_are_installed(tmp_path: Path) -> None:
    program(tmp_path, "id", "echo 0")
    program(tmp_path, "apt-get", f'echo "$@" >>{tmp_path}/calls')
    done = run("scripts/system_packages.sh", path=tmp_path, PYTHON=sys.executable, CC="false")
    assert done.returncode == 0, done.stderr
    update, install = (tmp_path / "calls").read_text().splitlines()
    assert update.startswith("update")
    assert install.startswith("install -y")
    assert {"gcc", "libc6-dev", "libgmp-dev"} <= set(install.split())


def test_the_licence_is_apache_in_full() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert project()["license"] == "Apache-2.0"


def synthetic_source(folder: Path, script: dict[str, Any]) -> None:
    """Source files with two homes each, in the columns of the real ones."""
    for name, source in script["SOURCES"].items():
        step = timedelta(hours=1 if name == "fontana" else 0.5)
        times = [
            start + step * index
            for start in (datetime(2016, 12, 5, tzinfo=UTC), datetime(2013, 12, 2, tzinfo=UTC))
            for index in range(96)
        ]
        rows = pl.DataFrame({"ts_utc": times}).join(pl.DataFrame({"home_id": ["b", "a"]}), how="cross")
        rows = rows.with_columns(load_kw=0.5, pv_kw=0.25)
        rows.write_parquet(folder / source.homes)
        tariff = {"tou_usd_per_kwh": 0.2, "carbon_g_per_kwh": 100.0, "dtou_gbp_per_kwh": 0.1, "level": "Low"}
        pl.DataFrame({"ts_utc": times}).with_columns(
            **{key: pl.lit(v) for key, v in tariff.items()}
        ).write_parquet(folder / source.tariff)
        facts = {
            "quality": "ok",
            "battery_kwh": 6.4,
            "battery_kw": 5.0,
            "battery_efficiency": 0.9,
            "tariff": "ToU",
        }
        pl.DataFrame({"home_id": ["a", "b"]}).with_columns(
            **{key: pl.lit(v) for key, v in facts.items()}
        ).write_parquet(folder / source.facts)


def test_sample_data_are_made_reproducibly(tmp_path: Path) -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "make_sample_data.py"))
    source = tmp_path / "source"
    source.mkdir()
    synthetic_source(source, script)
    for out in ("one", "two"):
        script["make_samples"](source, tmp_path / out, ["fontana", "london"])
    one = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    assert one == {path.name: path.read_bytes() for path in (tmp_path / "two").iterdir()}
    assert len(one) == 7
    homes = pl.read_parquet(tmp_path / "one" / "fontana_homes.parquet")
    assert homes.equals(homes.sort("season", "home_id", "start_utc"))
    assert set(homes["season"]) == {"winter"}


def test_a_missing_source_file_is_named(tmp_path: Path) -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "make_sample_data.py"))
    with pytest.raises(SystemExit, match=r"homes_fontana_citylearn_60min_2016_17\.parquet: no such file"):
        script["make_samples"](tmp_path, tmp_path / "out", ["fontana"])
