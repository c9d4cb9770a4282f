#!/bin/sh
# The append-only file keeps what was deleted until it is rewritten; that is done now and not in the next run.
set -eu
export LD_LIBRARY_PATH=$PEERS/redis/libraries
cli="$PEERS/redis/usr/bin/redis-cli -p $PORT"
$cli bgrewriteaof >/dev/null
for _ in $(seq 300); do
    case $($cli info persistence) in
        *aof_rewrite_in_progress:1*|*aof_rewrite_scheduled:1*) sleep 0.1 ;;
        *) exit 0 ;;
    esac
done
exit 1
