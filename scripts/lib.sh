# Shared by the scripts of this repository; sourced, never run. Sets ROOT and CIS_PROFILE.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Which cargo profile is built and used: `release` (demo) or `dev` (check: overflow checks and debug assertions on).
: "${CIS_PROFILE:=release}"
case $CIS_PROFILE in
    release | dev) ;;
    *) printf 'CIS_PROFILE is "%s"; legal values: release, dev\n' "$CIS_PROFILE" >&2; exit 2 ;;
esac

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# as_root COMMAND...: runs it as root, by sudo if need be.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else die "root (or sudo) is needed to run: $*"
    fi
}

# port KIND: an unused one, SOCK_DGRAM or SOCK_STREAM: a script may run beside other things.
port() { python3 -c 'import socket, sys; s = socket.socket(socket.AF_INET6, getattr(socket, sys.argv[1])); s.bind(("", 0)); print(s.getsockname()[1])' "$1"; }

# listening PORT: whether somebody does, UDP.
listening() { ss -lunH "sport = :$1" | grep -q .; }

# wait_for SECONDS COMMAND...: polls until the command succeeds; fails after SECONDS.
wait_for() {
    local end=$((SECONDS + $1)); shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}
