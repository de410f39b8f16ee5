# What stands before the snippets of a page (docs.py): a call that is refused fails, `make run` goes to the background.
set -euo pipefail
export PATH="$PWD/.venv/bin:$PATH" # as in an environment that was activated: `python` is the project's
expected= server= headers=$(mktemp)

mark() { printf '\036%s\n' "$1"; printf '\036%s\n' "$1" >&2; }

curl() { # a refusal is a failure, unless the fence expects this status
    if [ -z "$expected" ]; then
        command curl --fail-with-body --silent --show-error "$@"
        return
    fi
    command curl --silent --show-error --dump-header "$headers" "$@"
    grep -q "^HTTP/[0-9.]* $expected" "$headers" || { echo "not $expected but $(head -1 "$headers")" >&2; return 1; }
}

ended_with() { [ "$1" = "$2" ] || { echo "ended with $1, not with $2" >&2; exit 1; }; }

in_python() { .venv/bin/python backend_django/manage.py shell --no-imports --verbosity 0; }

halt() {
    [ -z "$server" ] || { kill "$server" 2>/dev/null && wait "$server" || true; server=; }
}
trap halt EXIT
trap 'exit 1' TERM

serve() { # what `make run` does once everything is installed
    halt
    .venv/bin/python backend_django/manage.py start >server.log 2>&1 &
    server=$!
    for _ in $(seq 600); do
        kill -0 "$server" 2>/dev/null || { cat server.log >&2; return 1; }
        command curl --silent --fail --output /dev/null "http://localhost:$PORT/health/ready/" && return
        sleep 0.3
    done
    cat server.log >&2
    return 1
}

make() { if [ "${*: -1}" = run ]; then serve; else command make "$@"; fi; }
