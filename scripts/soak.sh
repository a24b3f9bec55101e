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

run "$python" -m sim.agreement_world --seeds "$count"
run "$python" -m pytest tests/market -q -p no:cacheprovider --hypothesis-seed=random
