#!/usr/bin/env bash
# Starts and stops a rootless Docker of the tests' own, which shares nothing with others on the machine.
#
#   tests/docker/rootless.sh up        starts it if it does not run, and prints its DOCKER_HOST
#   tests/docker/rootless.sh check     says by its exit code whether it runs
#   tests/docker/rootless.sh down      stops it; images stay for the next time
#   tests/docker/rootless.sh purge     stops all of them, and removes all that they kept
#
# It needs root, to map the users of the engine that the user PARTITA_ENGINE_USER runs, who need not exist. What
# it needs is installed by `engine.sh install`. PARTITA_ENGINE names one of several.
set -euo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
name=${PARTITA_ENGINE:-main}
user=${PARTITA_ENGINE_USER:-12345}
known=$root/target/rootless/$name
# Any user has to get there, and sockets have short paths.
state=/var/tmp/partita-rootless-$(printf %s "$known" | cksum | cut -d ' ' -f 1)
socket=$state/docker.sock
pid_file=$state/engine.pid

fail() { printf 'tests/docker/rootless.sh: error: %s\n' "$1" >&2; exit 1; }

answers() { curl --silent --fail --max-time 3 --unix-socket "$socket" http://engine/_ping >/dev/null 2>&1; }

# Prints the process of the engine, if it has not ended.
engine() {
    local pid
    pid=$(cat "$pid_file" 2>/dev/null) || return 1
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ] || return 1
    ! grep -q '^State:[[:space:]]*[ZX]' "/proc/$pid/status" 2>/dev/null || return 1
    printf '%s\n' "$pid"
}

# Waits until something is so, for as long as the process in $started has not ended.
until_so() {
    local end=$((SECONDS + 60))
    until "$@"; do
        kill -0 "$started" 2>/dev/null && [ $SECONDS -lt $end ] ||
            fail "Docker does not start: $(tail -n 5 "$state/dockerd.log")"
        sleep 0.05
    done
}

has_users_of_its_own() { [ "$(readlink "/proc/$started/ns/user")" != "$(readlink /proc/self/ns/user)" ]; }

up() {
    if ! answers; then
        [ "$(id -u)" = 0 ] || fail "a rootless Docker is started by root alone"
        "$root/tests/docker/engine.sh" install
        [ -z "$(engine)" ] || down
        mkdir -p "$known" "$state/bin"
        # It looks for what opens ports, which no test has.
        printf '#!/bin/sh\nexit 1\n' >"$state/bin/rootlesskit-docker-proxy"
        chmod +x "$state/bin/rootlesskit-docker-proxy"
        rm -f "$socket" "$state/mapped"
        mkfifo -m 666 "$state/mapped"
        chown "$user:$user" "$state"
        # What RootlessKit does: root in there is the user, who has users besides and a `/run` of its own.
        setsid setpriv --reuid "$user" --regid "$user" --clear-groups \
            env HOME="$state" XDG_RUNTIME_DIR="$state" ROOTLESSKIT_STATE_DIR="$state" STATE="$state" \
            PATH="$state/bin:$PATH" unshare --user sh -c '
                read -r _ <"$STATE/mapped"
                exec unshare --mount sh -c "mount -t tmpfs tmpfs /run && mkdir /run/lock && exec dockerd \
                    --rootless --group 0 --host unix://$STATE/docker.sock --pidfile /run/docker.pid \
                    --exec-root /run/exec --data-root $STATE/data --storage-driver vfs --bridge none \
                    --userland-proxy=false --iptables=false --ip-forward=false --ip-masq=false \
                    --shutdown-timeout 2"
            ' >>"$state/dockerd.log" 2>&1 </dev/null &
        started=$!
        echo $started >"$pid_file"
        until_so has_users_of_its_own
        printf '0 %s 1\n1 200000 65535\n' "$user" >"$state/users"
        # The system takes a map in one piece.
        cat "$state/users" >"/proc/$started/uid_map"
        cat "$state/users" >"/proc/$started/gid_map"
        echo >"$state/mapped"
        until_so answers
    fi
    printf 'unix://%s\n' "$socket"
}

down() {
    local pid end=$((SECONDS + 60))
    pid=$(engine) || return 0
    kill -TERM "$pid"
    while engine >/dev/null; do
        [ $SECONDS -lt $end ] || fail "Docker (process $pid) does not end"
        sleep 0.05
    done
}

purge() {
    down
    rm -rf -- "$known" "$state"
}

purge_all() {
    local found
    for found in "$root"/target/rootless/*/; do
        [ ! -d "$found" ] || PARTITA_ENGINE=$(basename "$found") "$0" purge-one
    done
}

case ${1:-} in
up) up ;;
check) answers ;;
down) down ;;
purge) purge_all ;;
purge-one) purge ;;
*) fail "say \`up\`, \`check\`, \`down\` or \`purge\`" ;;
esac
