#!/bin/sh
# Installs the `tinker` command from a folder or an address that has the files of `cargo xtask dist`.
set -eu

usage() {
    cat <<'TEXT'
Installs the tinker command for this user.

Usage: sh install.sh [--from ADDRESS] [--to FOLDER]

  --from ADDRESS  https:// address or folder with the archives and SHA256SUMS
                  (default: the folder of this script; TINKER_INSTALL_FROM)
  --to FOLDER     where the command goes (default: ~/.local/bin)

Examples:
  sh install.sh
  sh install.sh --from https://example.com/tinker/0.1.0 --to /usr/local/bin
TEXT
}

fail() {
    printf 'install.sh: %s\n' "$1" >&2
    exit 1
}

from=${TINKER_INSTALL_FROM:-$(dirname "$0")}
to=${HOME:-}/.local/bin
while [ $# -gt 0 ]; do
    case $1 in
        --from) from=${2:?--from needs an address or a folder}; shift 2 ;;
        --to) to=${2:?--to needs a folder}; shift 2 ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; fail "unknown argument $1" ;;
    esac
done
from=${from%/}

system=$(uname -s)
machine=$(uname -m)
case $system:$machine in
    Linux:x86_64 | Linux:amd64) target=x86_64-unknown-linux-musl ;;
    Linux:aarch64 | Linux:arm64) target=aarch64-unknown-linux-musl ;;
    *) fail "there is no binary for $system on $machine; in a clone of the repository, run: cargo install --path tinker-cli" ;;
esac

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

# Copies a file of the release into the scratch folder.
fetch() {
    case $from in
        https://* | http://127.0.0.1:*)
            if command -v curl >/dev/null; then
                curl --fail --silent --show-error --location --output "$scratch/$1" "$from/$1"
            elif command -v wget >/dev/null; then
                wget --quiet --output-document "$scratch/$1" "$from/$1"
            else
                fail "neither curl nor wget is installed"
            fi || fail "cannot fetch $from/$1"
            ;;
        *://*) fail "$from is not an https:// address" ;;
        *) cp "$from/$1" "$scratch/$1" 2>/dev/null || fail "there is no $1 in $from" ;;
    esac
}

fetch SHA256SUMS
archive=$(sed -n "s/^[0-9a-f]*  \(tinker-[^/ ]*-$target\.tar\.gz\)\$/\1/p" "$scratch/SHA256SUMS")
[ -n "$archive" ] || fail "$from/SHA256SUMS lists no archive for $target"
fetch "$archive"
if command -v sha256sum >/dev/null; then
    sum=$(sha256sum "$scratch/$archive")
else
    sum=$(shasum -a 256 "$scratch/$archive")
fi
grep -q "^${sum%% *}  $archive\$" "$scratch/SHA256SUMS" ||
    fail "$archive is damaged: its SHA-256 is ${sum%% *}, which SHA256SUMS does not list; nothing was installed"

tar -xzf "$scratch/$archive" -C "$scratch"
mkdir -p "$to"
# Renamed into place, so that a running command keeps its file and an interrupted copy leaves the old one.
cp "$scratch/${archive%.tar.gz}/tinker" "$to/.tinker.$$"
chmod 755 "$to/.tinker.$$"
mv "$to/.tinker.$$" "$to/tinker"
printf 'installed %s\n' "$to/tinker"
case :$PATH: in
    *":$to:"*) ;;
    *) printf 'add it to the path: export PATH="%s:$PATH"\n' "$to" ;;
esac
