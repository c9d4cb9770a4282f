#!/bin/sh
# Redis 7 of Debian, unpacked beside us: nothing is installed and no service is started.
set -eu
version=7.0
home=$PEERS/redis
[ -f "$home/done-$version" ] && exit 0
command -v apt-get >/dev/null || { echo "redis is unpacked from Debian's packages, and there is no apt-get here" >&2; exit 1; }
rm -rf "$home"
mkdir -p "$home/packages"
cd "$home/packages"
apt-get download redis-server redis-tools libatomic1 libjemalloc2 liblua5.1-0 liblzf1 lua-bitop lua-cjson >&2 ||
    { echo "redis could not be fetched: apt-get update first" >&2; exit 1; }
for package in *.deb; do dpkg -x "$package" "$home"; done
# They lie in several folders; the loader is told of one.
mkdir "$home/libraries"
find "$home/lib" "$home/usr/lib" -name 'lib*.so*' -exec cp -P {} "$home/libraries" \;
said=$(LD_LIBRARY_PATH=$home/libraries "$home/usr/bin/redis-server" --version)
case $said in
    *"v=$version."*) ;;
    *) echo "Debian has another redis than $version here: $said" >&2; exit 1 ;;
esac
touch "$home/done-$version"
