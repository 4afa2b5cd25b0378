#!/usr/bin/env bash
# Starts and stops a Podman of the tests' own, which speaks Docker's API and shares nothing with others.
#
#   tests/docker/podman.sh up        starts it if it does not run, and prints its DOCKER_HOST
#   tests/docker/podman.sh check     says by its exit code whether it runs
#   tests/docker/podman.sh down      stops it; images stay for the next time
#   tests/docker/podman.sh purge     stops all of them, and removes all that they kept
#
# It needs root. Where there is no Podman, Debian's is installed. PARTITA_ENGINE names one of several. With
# PARTITA_ENGINE_USER=UID one is started that is rootless: it is run by that user, who need not exist.
set -euo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
name=${PARTITA_ENGINE:-main}
user=${PARTITA_ENGINE_USER:-0}
known=$root/target/podman/$name
id=partita-podman-$(printf %s "$known" | cksum | cut -d ' ' -f 1)
# Any user has to get there, and sockets have short paths.
state=/var/tmp/$id
run=/run/$id
socket=$run/podman.sock
pid_file=$run/podman.pid

fail() { printf 'tests/docker/podman.sh: error: %s\n' "$1" >&2; exit 1; }

answers() { curl --silent --fail --max-time 3 --unix-socket "$socket" http://engine/_ping >/dev/null 2>&1; }

# Prints the process of the service, if it has not ended.
service() {
    local pid
    pid=$(cat "$pid_file" 2>/dev/null) || return 1
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = podman ] || return 1
    ! grep -q '^State:[[:space:]]*[ZX]' "/proc/$pid/status" 2>/dev/null || return 1
    printf '%s\n' "$pid"
}

install_missing() {
    ! command -v podman >/dev/null || return 0
    [ "$(id -u)" = 0 ] || fail "\`podman\` can be installed by root alone"
    command -v apt-get >/dev/null || fail "there is no \`podman\`, and no \`apt-get\` to install it with"
    { apt-get update -qq || true
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends podman crun runc
    } >&2 || fail "\`apt-get install podman crun runc\` failed"
}

configure() {
    # Its usual limits are above what root may set where it lacks a capability.
    local files processes
    files=$(ulimit -Hn)
    [ "$files" != unlimited ] || files=65536
    processes=$(ulimit -Hu)
    if [ "$processes" = unlimited ] || [ "$processes" -gt 32768 ]; then processes=32768; fi
    local runtime=runc driver=overlay
    [ "$user" = 0 ] || driver=vfs
    # crun refuses the first version of control groups if the second one has a controller beside it.
    if [ -z "$(cat /sys/fs/cgroup/unified/cgroup.controllers 2>/dev/null)" ]; then
        ! command -v crun >/dev/null || runtime=crun
    fi
    cat >"$state/containers.conf" <<CONFIGURATION
[containers]
default_ulimits = ["nofile=$files:$files", "nproc=$processes:$processes"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "$runtime"
CONFIGURATION
    cat >"$state/storage.conf" <<CONFIGURATION
[storage]
driver = "$driver"
graphroot = "$state/storage"
runroot = "$run/storage"
CONFIGURATION
}

up() {
    if ! answers; then
        [ "$(id -u)" = 0 ] || fail "Podman is started by root alone"
        (flock 9; install_missing) 9>/run/lock/partita-docker
        [ -z "$(service)" ] || down
        mkdir -p "$known" "$state" "$run"
        configure
        chown "$user:$user" "$state" "$run"
        rm -f "$socket"
        # It leaves an empty file where it was started when a container runs out of memory.
        cd "$run"
        CONTAINERS_CONF="$state/containers.conf" CONTAINERS_STORAGE_CONF="$state/storage.conf" \
            HOME=$state XDG_RUNTIME_DIR=$run setsid setpriv --reuid "$user" --regid "$user" --clear-groups \
            podman system service --time=0 "unix://$socket" >>"$state/service.log" 2>&1 </dev/null &
        echo $! >"$pid_file"
        local end=$((SECONDS + 60))
        until answers; do
            kill -0 $! 2>/dev/null && [ $SECONDS -lt $end ] ||
                fail "Podman does not start: $(tail -n 5 "$state/service.log")"
            sleep 0.05
        done
    fi
    printf 'unix://%s\n' "$socket"
}

down() {
    local pid end=$((SECONDS + 60))
    pid=$(service) || return 0
    kill -TERM "$pid"
    while service >/dev/null; do
        [ $SECONDS -lt $end ] || fail "Podman (process $pid) does not end"
        sleep 0.05
    done
}

# Prints the processes that are left of it: one keeps the namespaces of a rootless one, whose service may
# outlive the process that was asked to end.
left() { grep -lsxzF "XDG_RUNTIME_DIR=$run" /proc/[0-9]*/environ | cut -d / -f 3; }

purge() {
    local pid
    down
    for pid in $(left); do
        kill -KILL "$pid" 2>/dev/null || true
    done
    awk -v state="$state/" -v run="$run/" 'index($2, state) == 1 || index($2, run) == 1 { print $2 }' \
        /proc/mounts | sort -r | xargs -r umount --lazy
    rm -rf -- "$known" "$state" "$run"
}

purge_all() {
    local found
    for found in "$root"/target/podman/*/; do
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
