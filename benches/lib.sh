# Shared by the scripts of benches/ and scripts/test-benches; sourced after scripts/lib.sh.
# shellcheck shell=bash

# bench_python REQUIREMENTS: makes .cis/venv hold what that file of benches/ lists and sets PYTHON.
bench_python() {
    local venv=$ROOT/.cis/venv stamp
    stamp=$venv/$1.sha256
    # Its interpreter is the one that scripts/setup finds: it needs tomllib (Python 3.11).
    PYTHON=$venv/bin/python
    if [ "$(cat "$stamp" 2>/dev/null)" != "$(cat benches/requirements*.txt | sha256sum)" ]; then
        echo "installing benches/$1 into .cis/venv" >&2
        [ -x "$PYTHON" ] || python3 -m venv "$venv" 2>/dev/null || { as_root apt-get install -y -qq python3-venv >&2; python3 -m venv "$venv"; }
        "$PYTHON" -m pip install -q --disable-pip-version-check -r "benches/$1"
        cat benches/requirements*.txt | sha256sum >"$stamp"
    fi
    export PYTHONPATH=$ROOT/benches
}
