#!/bin/sh
# Sees to it that what the tests talk to is there: a Chromium, and a PostgreSQL that answers.
# What PIPULATE_TEST_REQUIRE names (chromium,postgres) has to be there; tests of the rest are skipped without it.
set -eu

required() {
    case ",${PIPULATE_TEST_REQUIRE:-}," in *,"$1",*) return 0 ;; *) [ -n "${CI:-}" ] ;; esac
}

install_chromium() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -qq -y --no-install-recommends chromium >/dev/null 2>&1 && return
    apt-get update -qq >/dev/null && apt-get install -qq -y --no-install-recommends chromium >/dev/null
}

chromium=${PIPULATE_TEST_CHROMIUM:-chromium}
if ! command -v "$chromium" >/dev/null 2>&1; then
    if [ "$chromium" = chromium ] && command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
        echo "Installing Chromium ..."
        install_chromium || echo "Chromium could not be installed; the reason stands above." >&2
    fi
    if ! command -v "$chromium" >/dev/null 2>&1; then
        echo "The browser tests need Chromium. Install it, or name another in PIPULATE_TEST_CHROMIUM." >&2
        if required chromium; then exit 1; fi
        echo "They are skipped." >&2
    fi
fi

if ! reason=$(.venv/bin/python -c '
import psycopg, tests.support.services as services
try:
    psycopg.connect(services.POSTGRES, connect_timeout=5).close()
except psycopg.Error as error:
    raise SystemExit(str(error).splitlines()[0])
' 2>&1); then
    echo "The tests of PostgreSQL need a server that lets them make databases of their own: $reason" >&2
    echo "Start one, or name another: PIPULATE_TEST_POSTGRES=postgresql://user:password@host:5432/postgres" >&2
    if required postgres; then exit 1; fi
    echo "They are skipped." >&2
fi
