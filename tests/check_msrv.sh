#!/bin/sh
# Compiles the workspace with the oldest Rust that it promises to build with, where that is installed.
set -eu

cd "$(dirname -- "$0")/.."
msrv=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)

if command -v rustup >/dev/null 2>&1 && rustup toolchain list | grep -q "^$msrv\(\.[0-9]*\)\{0,1\}-"; then
    exec cargo "+$msrv" check --workspace --all-targets --locked --target-dir target/msrv
fi
printf 'skipped: Rust %s is not installed (`rustup toolchain install %s`);' "$msrv" "$msrv"
printf ' clippy::incompatible_msrv has checked the use of the standard library.\n'
