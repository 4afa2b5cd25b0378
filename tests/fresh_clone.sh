#!/usr/bin/env bash
# Shows that a newcomer's first `make test` passes: clones HEAD into an empty folder, gives it an
# empty home, and runs the tests there. What is not committed is not tested.
# Usage: tests/fresh_clone.sh [TARGET]     (a target of the Makefile; default: test)
set -euo pipefail

target=${1:-test}
root=$(git -C "$(dirname -- "$0")" rev-parse --show-toplevel)
place=$(mktemp -d "${TMPDIR:-/tmp}/partita-fresh.XXXXXX")
trap 'rm -rf -- "$place"' EXIT

export CARGO_HOME=${CARGO_HOME:-$HOME/.cargo}
export RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
export HOME=$place/home
mkdir "$HOME"
unset CARGO_TARGET_DIR PARTITA_HOME PYTHONPATH VIRTUAL_ENV
unset XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME

git clone --quiet --no-hardlinks "$root" "$place/partita"
make -C "$place/partita" "$target"

left=$(git -C "$place/partita" status --porcelain)
if [ -n "$left" ]; then
    printf 'error: `make %s` left files that .gitignore does not know:\n%s\n' "$target" "$left" >&2
    exit 1
fi
printf 'A fresh clone of %s passes `make %s`.\n' "$(git -C "$place/partita" rev-parse --short HEAD)" "$target"
