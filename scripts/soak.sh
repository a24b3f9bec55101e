#!/usr/bin/env bash
# Longer searches than the tests make. COUNT seeds or feeders each; PYTHON is the environment's interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."

count="${COUNT:-2000}"
python="${PYTHON:-.venv/bin/python}"

run() {
    echo "== $*"
    "$@"
}

# A fresh range of seeds each day; a failing seed is printed and replays exactly.
first="${FIRST:-$(( $(date +%s) / 86400 * 100000 ))}"

run "$python" -m sim.agreement_world "$first" "$count"
