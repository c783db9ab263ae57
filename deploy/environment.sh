#!/bin/sh
# Makes the virtual environment: deploy/environment.sh FOLDER. PYTHON names the interpreter to use, if any.
set -eu
folder=$1
cd "$(dirname "$0")/.."

suits() { # a Python that runs (a version manager's stand-in may not), has the right version and can make environments
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        suits "$PYTHON" && echo "$PYTHON"
        return
    fi
    for name in python3.12 python3.11 python3; do
        saved_ifs=$IFS
        IFS=:
        for place in $PATH; do
            if [ -x "$place/$name" ] && suits "$place/$name"; then
                echo "$place/$name"
                return
            fi
        done
        IFS=$saved_ifs
    done
}

python=$(find_python) || true
if [ -z "$python" ]; then
    echo "Casewire needs Python 3.11 or 3.12 with its venv module, and found none: install one (on Debian:" \
        "apt-get install python3 python3-venv), or name it with PYTHON=/path/to/python." >&2
    exit 1
fi

echo "Making the environment in $folder with $("$python" --version) (about a minute)"
rm -rf "$folder"
"$python" -m venv "$folder"
"$folder/bin/python" -m pip install -qq --no-compile --disable-pip-version-check --require-hashes -r requirements.lock
# setuptools warns of what every editable installation is; its words are shown only when it fails.
said=$("$folder/bin/python" -m pip install --quiet --no-deps --no-build-isolation --disable-pip-version-check \
    --editable . 2>&1) || { echo "$said" >&2; exit 1; }
