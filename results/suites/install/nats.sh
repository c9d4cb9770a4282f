#!/bin/sh
# nats-server through the Go module proxy: Debian's is older than `sync_interval: always`.
set -eu
version=v2.15.2
home=$PEERS/nats
[ -f "$home/done-$version" ] && exit 0
command -v go >/dev/null || { echo "nats needs a Go toolchain of 1.25 or later to be built" >&2; exit 1; }
rm -rf "$home"
mkdir -p "$home"
GOBIN=$home go install -trimpath "github.com/nats-io/nats-server/v2@$version" >&2
touch "$home/done-$version"
