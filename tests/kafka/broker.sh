#!/bin/sh
# A real Apache Kafka for tests: one node, broker and controller in one, on free ports of 127.0.0.1.
#
#   broker.sh fetch             gets the jars from Maven Central into the cache (needs mvn, once)
#   broker.sh ready             exit 0 when Java and the jars are there
#   broker.sh start DIR [PID]   makes or continues the broker in DIR, prints its host:port when it answers;
#                               with PID it ends when that process does
#   broker.sh tool CLASS ARG... runs one of Kafka's own tools
#   broker.sh stop DIR          ends it; broker.sh kill DIR does so without a warning
#
# The cache is $ALMANAC_KAFKA, else almanac-kafka below $XDG_CACHE_HOME or ~/.cache. Lines of DIR/extra.properties are
# added to the broker's configuration when DIR is made; the first of its listeners is the one that is printed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=${ALMANAC_KAFKA:-${XDG_CACHE_HOME:-$HOME/.cache}/almanac-kafka}

fetch() {
    [ -e "$cache/complete" ] && return
    mkdir -p "$cache"
    cp "$here/pom.xml" "$cache/pom.xml"
    (cd "$cache" && mvn -q -B dependency:copy-dependencies -DoutputDirectory="$cache/lib")
    : > "$cache/complete"
}

ready() {
    [ -e "$cache/complete" ] && command -v java > /dev/null 2>&1
}

free_port() {
    perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport'
}

# Small and quick to start: what is run here is short.
run_java() {
    exec java -Xms64m -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$cache/lib/*" "$@"
}

make_broker() {
    mkdir -p "$1"
    port=$(free_port)
    controller=$(free_port)
    {
        echo "process.roles=broker,controller"
        echo "node.id=1"
        echo "controller.quorum.voters=1@127.0.0.1:$controller"
        echo "listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller"
        echo "controller.listener.names=CONTROLLER"
        echo "log.dirs=$1/log"
        echo "num.partitions=1"
        echo "auto.create.topics.enable=false"
        echo "offsets.topic.num.partitions=1"
        echo "offsets.topic.replication.factor=1"
        echo "transaction.state.log.num.partitions=1"
        echo "transaction.state.log.replication.factor=1"
        echo "transaction.state.log.min.isr=1"
        echo "group.initial.rebalance.delay.ms=0"
        [ ! -e "$1/extra.properties" ] || cat "$1/extra.properties"
    } > "$1/server.properties"
    sed -n 's,^listeners=[A-Z_]*://\([^,]*\).*,\1,p' "$1/server.properties" | tail -n 1 > "$1/bootstrap" # the last line counts
    id=A$(head -c 15 /dev/urandom | od -An -tx1 | tr -d ' \n' | cut -c 1-20)Q # 22 characters of base64url
    (run_java kafka.tools.StorageTool format -t "$id" -c "$1/server.properties") > "$1/format.out" 2>&1
}

alive() {
    [ -e "$1/pid" ] && kill -0 "$(cat "$1/pid")" 2> /dev/null
}

# The broker answers when its port is open; it opens that last.
wait_for() {
    port=$(sed 's/.*://' "$1/bootstrap")
    for _ in $(seq 300); do
        alive "$1" || break
        perl -MIO::Socket::INET -e 'exit !IO::Socket::INET->new("127.0.0.1:$ARGV[0]")' "$port" && return
        sleep 0.2
    done
    echo "broker.sh: Kafka does not start; see $1/broker.out" >&2
    exit 1
}

start() {
    [ -e "$1/server.properties" ] || make_broker "$1"
    (run_java kafka.Kafka "$1/server.properties") > "$1/broker.out" 2>&1 < /dev/null &
    pid=$!
    echo "$pid" > "$1/pid"
    [ -z "${2:-}" ] || (
        while kill -0 "$2" 2> /dev/null && kill -0 "$pid" 2> /dev/null; do sleep 1; done
        kill "$pid" 2> /dev/null
    ) > /dev/null 2>&1 < /dev/null &
    wait_for "$1"
    cat "$1/bootstrap"
}

end() {
    alive "$1" || return 0
    pid=$(cat "$1/pid")
    kill "$2" "$pid"
    for _ in $(seq 100); do
        kill -0 "$pid" 2> /dev/null || return 0
        sleep 0.1
    done
    kill -KILL "$pid" 2> /dev/null || :
}

case ${1:-} in
fetch | ready) "$1" ;;
start) start "$2" "${3:-}" ;;
tool) shift; (run_java "$@") ;;
stop) end "$2" -TERM ;;
kill) end "$2" -KILL ;;
*) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
