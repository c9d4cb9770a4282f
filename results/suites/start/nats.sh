#!/bin/sh
# nats-server with JetStream on files; the argument is its sync_interval: its default of 2m, or always.
set -eu
cat >"$DATA/nats.conf" <<END
listen: "127.0.0.1:$PORT"
max_payload: $RECORD_BYTES_MAX
jetstream {
    store_dir: "$DATA/jetstream"
    sync_interval: "$1"
}
END
exec "$PEERS/nats/nats-server" -c "$DATA/nats.conf"
