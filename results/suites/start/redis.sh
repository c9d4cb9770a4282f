#!/bin/sh
# Redis with an append-only file; the argument is its appendfsync: everysec or always. Snapshots and rewrites stay out of the
# runs: the suite asks for a rewrite between two.
set -eu
export LD_LIBRARY_PATH=$PEERS/redis/libraries
exec "$PEERS/redis/usr/bin/redis-server" --bind 127.0.0.1 --port "$PORT" --dir "$DATA" --save '' --appendonly yes \
    --appendfsync "$1" --auto-aof-rewrite-percentage 0 --proto-max-bulk-len 64mb
