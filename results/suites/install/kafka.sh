#!/bin/sh
# Apache Kafka 4.1.1 with what it needs from Maven Central; the version stands in clients/kafka-broker/pom.xml.
set -eu
top=$(cd "$(dirname "$0")/../../.." && pwd)
home=$PEERS/kafka
[ -f "$home/done-4.1.1" ] && exit 0
command -v java >/dev/null || { echo "kafka needs java 17 or later: apt-get install openjdk-17-jre-headless" >&2; exit 1; }
command -v mvn >/dev/null || { echo "kafka needs Maven: apt-get install maven" >&2; exit 1; }
rm -rf "$home"
mkdir -p "$home"
mvn -B -q -ntp -f "$top/clients/kafka-broker/pom.xml" dependency:copy-dependencies "-DoutputDirectory=$home/jars" >&2
touch "$home/done-4.1.1"
