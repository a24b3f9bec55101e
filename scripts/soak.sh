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

run "$python" -m sim.agreement.world "$first" "$count"
run "$python" -m node.cli.root sim seeds --from "$first" --to "$(( first + count / 20 + 1 ))" --jobs "${JOBS:-2}"
run "$python" -m sim.seeds.planted
run "$python" -m sim.agreement.twins "$first" "$(( count * 50 ))"
run "$python" -m sim.cells.crash_points "$(( count < 2000 ? 2000 / count : 1 ))"
run env WATTSWARM_SOAK="$count" WATTSWARM_SOAK_FIRST="$first" \
    "$python" -m pytest tests/market/test_zones.py tests/market/test_losses.py tests/market/test_clearing_optimal.py \
    tests/market/test_mechanisms.py tests/market/test_certificates.py tests/market/federation
run env COUNT="$(( count / 20 + 1 ))" "$python" -m pytest tests/sim/federation
run "$python" -m sim.testnet.newcomers
run env WATTSWARM_SOAK="$count" "$python" -m pytest tests/market/test_light_statement.py tests/market/billing tests/ledger/witnesses/test_witness.py
run env WATTSWARM_SOAK="$count" "$python" -m pytest tests/devices/models/test_model_laws.py
mapfile -t laws < <(grep -rl "@given" tests --include="*.py")
run env WATTSWARM_EXAMPLES="$(( count / 2 + 1 ))" "$python" -m pytest "${laws[@]}"
run "$python" -m sim.device_faults.search "$first" "$(( count / 8 + 1 ))"
run "$python" -m sim.testnet.churn --minutes "${CHURN_MINUTES:-8}"

# Real processes under chaos, four nodes and seven in turn; each seed has a directory, kept where it fails.
chaos="$(mktemp -d -t wattswarm-chaos-XXXXXX)"
for (( seed = first; seed < first + ${CHAOS_SEEDS:-6}; seed++ )); do
    run "$python" -m node.cli.root testnet run --nodes $(( seed % 2 ? 7 : 4 )) --intervals 24 --speed 1200 \
        --chaos "$seed" --data-dir "$chaos/$seed"
    rm -r "${chaos:?}/$seed"
done
rmdir "$chaos"

# The API, from its own schema: every answer has to be one that the schema declares.
COUNT=$(( count / 10 + 1 )) run "$python" -m pytest tests/node/web/test_api.py -k schema

# The only one that needs more than the development environment; see docs/decisions on fuzzing.
"$python" -c "import atheris" 2>/dev/null || run "$python" -m pip install --quiet -c constraints.txt atheris
run "$python" scripts/fuzz_decoders.py "$(( count * 100 ))" --seed "$(( first % 1000000 + 1 ))"
