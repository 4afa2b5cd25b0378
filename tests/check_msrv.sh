#!/bin/sh
# Sees to it that the workspace compiles with the oldest Rust that it promises to build with. Where
# that is the one in use, clippy has compiled every target with it, as a part of `make lint`; where a
# newer one is in use and that is installed as well, this compiles with it. Where it is not installed,
# this leaves it out and says so; with PARTITA_REQUIRE_MSRV=1 it fails.
set -eu

cd "$(dirname -- "$0")/.."
msrv=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
used=$(${RUSTC:-rustc} --version | cut -d ' ' -f 2)

case "$used" in
"$msrv" | "$msrv".*)
    printf 'Rust %s, which is in use, is the oldest that is promised: clippy has compiled every target.\n' "$used"
    exit 0
    ;;
esac

installed=
if command -v rustup >/dev/null 2>&1; then
    installed=$(rustup toolchain list | cut -d ' ' -f 1 | grep "^$msrv\(\.[0-9]*\)\{0,1\}-" | head -n 1) || true
fi
if [ -n "$installed" ]; then
    exec cargo "+$installed" check --workspace --all-targets --locked --target-dir target/msrv
fi
if [ -n "${PARTITA_REQUIRE_MSRV:-}" ]; then
    printf 'Rust %s is not installed (`rustup toolchain install %s`), and PARTITA_REQUIRE_MSRV asks for it.\n' \
        "$msrv" "$msrv" >&2
    exit 1
fi
printf 'skipped: Rust %s is not installed (`rustup toolchain install %s`);' "$msrv" "$msrv"
printf ' clippy::incompatible_msrv has checked the use of the standard library.\n'
