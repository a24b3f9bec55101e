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
run "$python" -m sim.cluster "$first" "$(( count / 20 + 1 ))"
run env WATTSWARM_SOAK="$count" WATTSWARM_SOAK_FIRST="$first" \
    "$python" -m pytest tests/market/test_zones.py tests/market/test_clearing_optimal.py
run env WATTSWARM_SOAK="$count" "$python" -m pytest tests/devices/test_model_laws.py
run "$python" -m sim.testnet.churn --minutes "${CHURN_MINUTES:-8}"
