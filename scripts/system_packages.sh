#!/usr/bin/env bash
# Sees to what pip cannot install: a C compiler, libgmp and Python's headers (fastecdsa, which libp2p needs, is
# compiled from source) and the venv module. Installs them when run as root on a machine with apt-get; otherwise
# prints the one command to run and stops. Does nothing when nothing is missing.
# Servers that some tests of real devices start, and the browser that tests of the pages drive, are installed too; without
# them only those tests fail, and say so.
set -euo pipefail

python="${PYTHON:-python3}"
version="$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

compiles() {
    printf '%s\n' "$1" 'int main(void) { return 0; }' >"$scratch/probe.c"
    "${CC:-gcc}" ${2:-} -o "$scratch/probe" "$scratch/probe.c" ${3:-} >/dev/null 2>&1
}

# Debian's python3 has venv but not the ensurepip that venv needs: a full trial takes seconds, this takes none.
has_venv() {
    "$python" -c 'import ensurepip; ensurepip.version()' >/dev/null 2>&1 &&
        "$python" -m venv --without-pip "$scratch/venv" >/dev/null 2>&1
}

missing=()
if ! compiles '#include <stdio.h>'; then
    missing+=(gcc libc6-dev)
fi
if ! compiles '#include <gmp.h>' '' '-lgmp'; then
    missing+=(libgmp-dev)
fi
include="$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["include"])')"
if ! [ -f "$include/Python.h" ]; then
    missing+=("python$version-dev")
fi
if ! has_venv; then
    missing+=("python$version-venv")
fi

servers=()
if ! ls /lib/nut/dummy-ups /usr/lib/nut/dummy-ups /usr/libexec/nut/dummy-ups 2>/dev/null | grep -q .; then
    servers+=(nut-server)
fi
if ! PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v mosquitto >/dev/null 2>&1; then
    servers+=(mosquitto)
fi

# Only the tests of the pages need a browser: the system's Chromium, which Playwright drives.
if ! command -v chromium >/dev/null 2>&1 && ! command -v google-chrome >/dev/null 2>&1; then
    servers+=(chromium)
fi

# Only the test of the alert rules needs it: promtool is in Debian's package of Prometheus.
if ! command -v promtool >/dev/null 2>&1; then
    servers+=(prometheus)
fi

if [ ${#missing[@]} -eq 0 ] && [ ${#servers[@]} -eq 0 ]; then
    exit 0
fi

echo "setup: missing on this machine: ${missing[*]} ${servers[*]}"
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    if [ ${#missing[@]} -gt 0 ]; then
        apt-get install -y -qq --no-install-recommends "${missing[@]}" "${servers[@]}"
    elif ! apt-get install -y -qq --no-install-recommends "${servers[@]}"; then
        echo "setup: ${servers[*]} could not be installed; the tests that start it will fail" >&2
    fi
    exit 0
fi

if [ ${#missing[@]} -eq 0 ]; then
    echo "setup: the tests that start ${servers[*]} will fail; everything else works. On Debian or Ubuntu:" >&2
    echo "    sudo apt-get update && sudo apt-get install -y ${servers[*]}" >&2
    exit 0
fi

echo "setup: they need the system's package manager. On Debian or Ubuntu run this, then the same make again:" >&2
echo >&2
echo "    sudo apt-get update && sudo apt-get install -y ${missing[*]} ${servers[*]}" >&2
echo >&2
echo "setup: elsewhere install a C compiler, the GMP headers, and Python $version with headers and venv." >&2
exit 1
