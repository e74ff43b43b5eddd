#!/usr/bin/env bash
# packages.sh FILE...: install the Debian packages that the files list, one a line, # for comments.
# Root installs what is missing; anybody else is told the command. Exit 1 if something is missing
# in the end: `make phone` stops there, `make test` goes on and skips what needs it, visibly.
set -euo pipefail

mapfile -t wanted < <(cat "$@" /dev/null | sed 's/#.*//' | tr -s '[:space:]' '\n' | sed '/^$/d')

missing() {
  local name
  for name in "${wanted[@]}"; do
    dpkg-query -W -f '${db:Status-Abbrev}' "$name" 2>/dev/null | grep -q '^ii' || echo "$name"
  done
}

if ! command -v dpkg-query >/dev/null; then
  echo "packages: not a Debian system; the phone tests need: ${wanted[*]}" >&2
  exit 1
fi
mapfile -t absent < <(missing)
[ ${#absent[@]} -gt 0 ] || exit 0

install="apt-get install -y --no-install-recommends ${absent[*]}"
if [ "$(id -u)" -ne 0 ]; then
  echo "packages: missing; to install them: sudo $install" >&2
  exit 1
fi
echo "packages: $install" >&2
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update -qq && $install -qq; } >/dev/null 2>&1; then
  echo "packages: apt-get failed; see what it says: $install" >&2
  exit 1
fi
