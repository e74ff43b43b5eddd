#!/usr/bin/env bash
# venv.sh PYTHON FOLDER: make the virtual environment FOLDER unless it stands and works.
set -euo pipefail
python=$1 folder=$2

say() { echo "venv: $*" >&2; }

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  say "'$python' is no Python 3.11 or newer: install one, or name it: make PYTHON=python3.12"
  exit 1
fi

# A folder that was moved, or whose Python is gone, does not start: make it anew.
if "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
  exit 0
fi

# Debian keeps the half of venv that brings pip in a package of its own.
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  package=$(basename "$python")-venv
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    say "installing the Debian package $package"
    apt-get update -qq >&2 && apt-get install -y -qq --no-install-recommends "$package" >&2
  else
    say "this Python cannot make virtual environments: sudo apt-get install $package"
    exit 1
  fi
fi
rm -rf "$folder"
"$python" -m venv "$folder" >&2

# Dependency groups need pip 25.1; Debian 12 brings 23.
"$folder/bin/python" -m pip install -qq --disable-pip-version-check --upgrade 'pip>=25.1' >&2
