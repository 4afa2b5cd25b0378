#!/usr/bin/env bash
# Starts and stops a container registry of the tests' own, on this machine alone.
#
#   tests/docker/registry.sh up FOLDER PORT   starts one that keeps its images in FOLDER
#   tests/docker/registry.sh down FOLDER      stops it
#   tests/docker/registry.sh install          installs what it needs, where that is not there
#
# Where there is no registry, Debian's is installed. With a file FOLDER/users, as `htpasswd` writes
# them, it takes nobody else; with FOLDER/readonly, nothing; with FOLDER/certificate and FOLDER/key, whoever
# speaks TLS. What it says is in FOLDER/log.
set -euo pipefail

say() { printf 'tests/docker/registry.sh: %s\n' "$1" >&2; }
fail() { say "error: $1"; exit 1; }

install_missing() {
    ! command -v docker-registry >/dev/null || return 0
    [ "$(id -u)" = 0 ] || fail '`docker-registry` can be installed by root alone'
    command -v apt-get >/dev/null || fail 'there is no `docker-registry`, and no `apt-get` to install it with'
    say 'installing docker-registry'
    # Packages would start daemons of their own.
    local refusal=/usr/sbin/policy-rc.d made=0 failed=0
    [ -e $refusal ] || { printf '#!/bin/sh\nexit 101\n' >$refusal; chmod +x $refusal; made=1; }
    { apt-get update -qq || true
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker-registry
    } >&2 || failed=1
    [ $made = 0 ] || rm -f $refusal
    [ $failed = 0 ] || fail '`apt-get install docker-registry` failed'
}

# Installs what is missing, once for all that ask at a time.
install() { (flock 9; install_missing) 9>/run/lock/partita-registry; }

# Any answer will do: one that takes nobody says so.
answers() { curl --silent --output /dev/null --max-time 3 "http://127.0.0.1:$1/v2/"; }

up() {
    local folder=$1 port=$2 readonly=false tls='' end=$((SECONDS + 60))
    install
    mkdir -p "$folder/data"
    [ ! -e "$folder/readonly" ] || readonly=true
    [ ! -e "$folder/key" ] || tls=", tls: {certificate: \"$folder/certificate\", key: \"$folder/key\"}"
    {
        printf 'version: 0.1\nlog: {level: warn}\n'
        printf 'storage: {filesystem: {rootdirectory: "%s/data"}, ' "$folder"
        printf 'maintenance: {readonly: {enabled: %s}}}\n' $readonly
        printf 'http: {addr: "127.0.0.1:%s"%s}\n' "$port" "$tls"
        [ ! -e "$folder/users" ] || printf 'auth: {htpasswd: {realm: tests, path: "%s/users"}}\n' "$folder"
    } >"$folder/config.yml"
    setsid docker-registry serve "$folder/config.yml" >"$folder/log" 2>&1 </dev/null &
    printf '%s\n' $! >"$folder/pid"
    until answers "$port"; do
        kill -0 $! 2>/dev/null && [ $SECONDS -lt $end ] ||
            fail "the registry does not start: $(tail -n 5 "$folder/log")"
        sleep 0.05
    done
}

down() {
    local pid
    pid=$(cat "$1/pid" 2>/dev/null) || return 0
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = docker-registry ] || return 0
    kill "$pid"
}

case ${1:-} in
up) up "${@:2}" ;;
down) down "$2" ;;
install) install ;;
*) fail 'say `up`, `down` or `install`' ;;
esac
