#!/bin/sh
# Prints the Python to use: the one the environment was made with, or else the newest on the PATH that is supported.
newest=0 lame=""

# A name on the PATH may be a shim that leads nowhere, or lack the parts that make environments, so it is asked.
ask() {
    "$1" -c 'import sys; print(sys.version_info[1] if sys.version_info[0] == 3 else 0)' 2>/dev/null
}

consider() {
    minor=$(ask "$1") || return 0
    case $minor in 11 | 12 | 13 | 14) ;; *) return 0 ;; esac
    [ "$minor" -gt "$newest" ] || return 0
    if "$1" -c 'import ensurepip, sqlite3, ssl, venv' 2>/dev/null; then
        newest=$minor found=$1
    else
        lame=$1
    fi
}

consider .venv/bin/python
if [ "$newest" -eq 0 ]; then
    old_ifs=$IFS IFS=:
    for folder in $PATH; do
        for name in python3.14 python3.13 python3.12 python3.11 python3 python; do
            # A name that says its version need not be asked where a newer one was found.
            case $name in python3.*) [ "${name#python3.}" -gt "$newest" ] || continue ;; esac
            [ -x "$folder/$name" ] && consider "$folder/$name"
        done
    done
    IFS=$old_ifs
fi

if [ "$newest" -gt 0 ]; then
    echo "$found"
    exit 0
fi
echo "Pipulate needs Python 3.11 to 3.14; none was found on the PATH." >&2
if [ -n "$lame" ]; then
    echo "$lame is one, but lacks venv, sqlite3 or ssl. On Debian and Ubuntu: sudo apt install python3-venv" >&2
fi
exit 1
