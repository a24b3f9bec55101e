#!/usr/bin/env bash
# Creates a virtual environment and installs wattswarm with the exact versions of constraints.txt.
# Usage: scripts/setup.sh [VENV_DIR]     PYTHON=/path/to/python3.11 overrides the interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."

venv="${1:-.venv}"

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        if ! command -v "$PYTHON" >/dev/null 2>&1; then
            echo "setup: PYTHON=$PYTHON: no such program" >&2
            return 1
        fi
        if ! is_new_enough "$PYTHON"; then
            echo "setup: PYTHON=$PYTHON is $("$PYTHON" --version 2>&1); wattswarm needs Python 3.11 or later" >&2
            return 1
        fi
        command -v "$PYTHON"
        return
    fi
    local candidate
    for candidate in python3.11 python3.12 python3.13 python3; do
        if command -v "$candidate" >/dev/null 2>&1 && is_new_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    echo "setup: no Python 3.11 or later found (python3 is: $(python3 --version 2>&1 || echo missing))." >&2
    echo "setup: install one, or name it: make setup PYTHON=/path/to/python3.11" >&2
    return 1
}

python="$(find_python)"
echo "setup: using $python ($("$python" --version 2>&1))"

PYTHON="$python" scripts/system_packages.sh

if ! [ -x "$venv/bin/python" ] || ! is_new_enough "$venv/bin/python"; then
    "$python" -m venv --clear "$venv"
fi
echo "setup: installing into $venv (a few minutes the first time: one dependency is compiled)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
touch "$venv/.installed"
echo "setup: done"
