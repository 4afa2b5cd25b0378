#!/bin/sh
# Says what is missing on this machine before anything is built, and what to type to get it.
# Usage: tests/check_host.sh PYTHON
set -eu

python=$1
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
msrv=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$root/Cargo.toml")

fail() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

command -v "$python" >/dev/null 2>&1 ||
    fail "\`$python\` was not found. Partita needs Python 3.10 or newer: \`apt install python3 python3-venv\`, or name another one with \`make PYTHON=/path/to/python3\`."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    fail "\`$python\` is $("$python" --version 2>&1), and Partita needs Python 3.10 or newer. Name another one with \`make PYTHON=/path/to/python3\`."
"$python" -c 'import ensurepip, venv' >/dev/null 2>&1 ||
    fail "\`$python\` cannot make virtual environments: \`apt install python3-venv\`."
command -v cc >/dev/null 2>&1 ||
    fail "no C compiler (\`cc\`) was found: \`apt install gcc libc6-dev\`."
if ! command -v cargo >/dev/null 2>&1 || ! command -v rustc >/dev/null 2>&1; then
    fail "\`cargo\` was not found. Partita needs Rust $msrv or newer: install it with rustup, the way rust-lang.org describes, and open a new shell."
fi

rust=$(rustc --version | cut -d ' ' -f 2)
oldest=$(printf '%s\n%s\n' "$msrv" "$rust" | sort -V | head -n 1)
[ "$oldest" = "$msrv" ] ||
    fail "\`rustc\` is $rust, and Partita needs Rust $msrv or newer: \`rustup update stable\`."
