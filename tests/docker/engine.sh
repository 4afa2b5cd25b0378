#!/usr/bin/env bash
# Starts and stops a Docker engine of the tests' own, which shares nothing with others on the machine.
#
#   tests/docker/engine.sh up        starts it if it does not run, and prints its DOCKER_HOST
#   tests/docker/engine.sh check     says by its exit code whether it runs
#   tests/docker/engine.sh down      stops it; images stay for the next time
#   tests/docker/engine.sh kill      stops it as a crash would
#   tests/docker/engine.sh install   installs what it needs, where that is not there
#   tests/docker/engine.sh purge     stops all of them, and removes all that they kept
#
# It needs root. Where there is no engine, Debian's is installed. Containers that it runs reach no
# network but the host's (`--network=host`), or none. PARTITA_ENGINE names one of several engines. With
# PARTITA_ENGINE_GPUS=1 the one that is started has GPUs that are none (`gpu/toolkit`).
set -euo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
name=${PARTITA_ENGINE:-main}
state=$root/target/docker/$name
# Sockets have short paths, so they are not below the state.
run=/run/partita-docker-$(printf %s "$state" | cksum | cut -d ' ' -f 1)
socket=$run/docker.sock
pid_file=$run/docker.pid
containerd=$run/exec/containerd/containerd.pid

say() { printf 'tests/docker/engine.sh: %s\n' "$1" >&2; }
fail() { say "error: $1"; exit 1; }

answers() { curl --silent --fail --max-time 3 --unix-socket "$socket" http://engine/_ping >/dev/null 2>&1; }

# Prints the process in a file, if it is a program of this name and has not ended; what has may stay as
# a zombie.
process() {
    local pid
    pid=$(cat "$1" 2>/dev/null) || return 1
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ] || return 1
    ! grep -q '^State:[[:space:]]*[ZX]' "/proc/$pid/status" 2>/dev/null || return 1
    printf '%s\n' "$pid"
}

engine() { process "$pid_file" dockerd; }

install_missing() {
    local missing=()
    command -v dockerd >/dev/null || missing+=(docker.io)
    command -v iptables >/dev/null || missing+=(iptables)
    command -v curl >/dev/null || missing+=(curl)
    [ ${#missing[@]} -gt 0 ] || return 0
    [ "$(id -u)" = 0 ] || fail "\`${missing[*]}\` can be installed by root alone"
    command -v apt-get >/dev/null || fail "there is no \`dockerd\`, and no \`apt-get\` to install it with"
    say "installing ${missing[*]}"
    # Packages would start daemons of their own.
    local refusal=/usr/sbin/policy-rc.d made=0 failed=0
    [ -e $refusal ] || { printf '#!/bin/sh\nexit 101\n' >$refusal; chmod +x $refusal; made=1; }
    { apt-get update -qq || true
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
    } >&2 || failed=1
    [ $made = 0 ] || rm -f $refusal
    [ $failed = 0 ] || fail "\`apt-get install ${missing[*]}\` failed"
}

# Installs what is missing, once for all that ask at a time.
install() { (flock 9; install_missing) 9>/run/lock/partita-docker; }

up() {
    if ! answers; then
        [ "$(id -u)" = 0 ] || fail "an engine is started by root alone"
        install
        grep -qE ' cgroup2? ' /proc/mounts || fail "no control groups are mounted, which containers need"
        [ -z "$(engine)" ] || down
        mkdir -p "$state" "$run"
        rm -f "$pid_file" "$socket"
        # A crash leaves the number of a daemon that has ended, which is not waited for.
        process "$containerd" containerd >/dev/null || rm -f "$containerd"
        # An engine without a bridge removes that of another one, so it takes part in it.
        local bridge=none
        [ ! -e /sys/class/net/docker0 ] || bridge=docker0
        local path=$PATH
        [ -z "${PARTITA_ENGINE_GPUS:-}" ] || path=$root/tests/docker/gpu/toolkit:$PATH
        PATH=$path setsid dockerd --host "unix://$socket" --pidfile "$pid_file" --exec-root "$run/exec" \
            --data-root "$state/data" --bridge=$bridge --iptables=false --ip-forward=false \
            --ip-masq=false --shutdown-timeout 2 >>"$state/dockerd.log" 2>&1 </dev/null &
        local end=$((SECONDS + 60))
        until answers; do
            kill -0 $! 2>/dev/null && [ $SECONDS -lt $end ] ||
                fail "the engine does not start: $(tail -n 5 "$state/dockerd.log")"
            sleep 0.05
        done
    fi
    printf 'unix://%s\n' "$socket"
}

# Ends the engine with a signal and waits for its end.
end() {
    local pid end=$((SECONDS + 60))
    pid=$(engine) || return 0
    kill "-$1" "$pid"
    while engine >/dev/null; do
        [ $SECONDS -lt $end ] || fail "the engine (process $pid) does not end"
        sleep 0.05
    done
}

# Ends what an engine that was killed leaves behind: the daemon that it had started.
end_rest() {
    local pid
    pid=$(process "$containerd" containerd) || return 0
    kill -TERM "$pid"
}

down() { end TERM; end_rest; }

purge() {
    down
    awk -v state="$state/" -v run="$run/" 'index($2, state) == 1 || index($2, run) == 1 { print $2 }' \
        /proc/mounts | sort -r | xargs -r umount --lazy
    rm -rf -- "$state" "$run"
}

purge_all() {
    local found
    for found in "$root"/target/docker/*/; do
        [ ! -d "$found" ] || PARTITA_ENGINE=$(basename "$found") "$0" purge-one
    done
}

case ${1:-} in
up) up ;;
check) answers ;;
down) down ;;
kill) end KILL ;;
install) install ;;
purge) purge_all ;;
purge-one) purge ;;
*) fail "say \`up\`, \`check\`, \`down\`, \`kill\`, \`install\` or \`purge\`" ;;
esac
