#!/usr/bin/env bash
# Looks at the report pages in a headless Chromium: installs what it needs into target/browser, writes the pages with
# the report tests, and runs check.py on them. A browser of its own can be named by CHROMIUM.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

browser() {
    local found="${CHROMIUM:-}"
    for name in chromium chromium-browser google-chrome; do
        [ -n "$found" ] || found="$(command -v "$name" || true)"
    done
    if [ -z "$found" ]; then
        local root=()
        [ "$(id -u)" -eq 0 ] || root=(sudo)
        "${root[@]}" apt-get update -qq >&2
        "${root[@]}" apt-get install -y -qq --no-install-recommends chromium >&2
        found="$(command -v chromium)"
    fi
    echo "$found"
}

CHROMIUM="$(browser)"
export CHROMIUM
environment=target/browser/python
if [ ! -x "$environment/bin/python" ] || ! "$environment/bin/python" -c 'import playwright' 2>/dev/null; then
    python3 -m venv "$environment"
    "$environment/bin/pip" install --quiet 'playwright==1.65.2'
fi
cargo test --quiet --package loadgen --test report --test report_of_many
exec "$environment/bin/python" loadgen/tests/browser/check.py target/tmp
