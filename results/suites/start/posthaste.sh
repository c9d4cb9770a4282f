#!/bin/sh
# The server of this tree; arguments go to it.
set -eu
exec "$POSTHASTE" serve --listen "127.0.0.1:$PORT" --data "$DATA/data" "$@"
