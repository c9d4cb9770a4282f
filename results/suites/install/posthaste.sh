#!/bin/sh
# Ours is built, not fetched.
set -eu
[ -x "$POSTHASTE" ] && exit 0
echo "there is no $POSTHASTE: cargo build --release, or name another with --posthaste" >&2
exit 1
