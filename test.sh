#!/usr/bin/env bash
# The one test command: installs what the tests need, starts it in a temporary folder, runs everything, cleans up.
#
#   ./test.sh            everything
#   ./test.sh rust       formatting, lints, and the tests in Rust: both database engines, kill -9 and rotations under load
#   ./test.sh interop    the clients that we did not write
set -euo pipefail
cd "$(dirname "$0")"

work=$(mktemp -d "${TMPDIR:-/tmp}/carnet-test.XXXXXX")
chmod 755 "$work"
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}

step() { printf '\n== %s (%s s)\n' "$1" "$SECONDS"; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
# PostgreSQL refuses to run as root.
as_user() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; else "$@"; fi; }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

install_tools() {
    local missing=()
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql)
    command -v node >/dev/null && command -v npm >/dev/null || missing+=(nodejs npm)
    command -v redis-server >/dev/null || missing+=(redis-server)
    command -v openssl >/dev/null || missing+=(openssl)
    command -v curl >/dev/null || missing+=(curl)
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
    command -v chromium >/dev/null || missing+=(chromium)
    command -v gcc >/dev/null || missing+=(gcc libc6-dev)
    [ -x /usr/sbin/nginx ] || missing+=(nginx-light)
    [ -x /usr/sbin/haproxy ] || missing+=(haproxy)
    command -v caddy >/dev/null || missing+=(caddy)
    command -v php-cgi >/dev/null || missing+=(php-cgi)
    [ ${#missing[@]} = 0 ] && return
    step "installing ${missing[*]}"
    as_root apt-get update -q
    # Packages start what they bring; the tests start their own, on other ports.
    local policy=/usr/sbin/policy-rc.d ours='' status=0 service
    if [ ! -e $policy ]; then
        ours=yes
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
        as_root chmod 755 $policy
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" || status=$?
    [ -z "$ours" ] || as_root rm $policy
    for service in nginx haproxy caddy; do
        case " ${missing[*]} " in *" $service"*) as_root systemctl disable $service >/dev/null 2>&1 || true ;; esac
    done
    return $status
}

start_postgres() {
    pg_bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
    local port
    port=$(free_port)
    install -d -m 700 "$work/pg"
    if [ "$(id -u)" = 0 ]; then chown postgres "$work/pg"; fi
    as_user "$pg_bin/initdb" -D "$work/pg/data" -U carnet --auth=trust -E UTF8 --no-sync >"$work/initdb.log"
    as_user "$pg_bin/pg_ctl" -D "$work/pg/data" -w -t 60 -l "$work/pg/log" \
        -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$work/pg -c max_connections=300" start >/dev/null
    export CARNET_TEST_POSTGRES="postgres://carnet@127.0.0.1:$port/postgres?sslmode=disable"
}

# Debian's package may start a server of its own on 6379; it is left alone.
start_redis() {
    local port
    port=$(free_port)
    install -d "$work/redis"
    redis-server --port "$port" --bind 127.0.0.1 --save "" --appendonly no --dir "$work/redis" >"$work/redis/log" &
    export CARNET_TEST_REDIS="redis://127.0.0.1:$port"
    for _ in $(seq 100); do redis-cli -p "$port" ping >/dev/null 2>&1 && return; sleep 0.1; done
    cat "$work/redis/log" >&2
    return 1
}

clean_up() {
    local status=$?
    jobs -p | xargs -r kill 2>/dev/null || true
    [ -d "$work/pg/data" ] && as_user "$pg_bin/pg_ctl" -D "$work/pg/data" -m immediate stop >/dev/null 2>&1
    rm -rf "$work"
    exit $status
}
trap clean_up EXIT

rust_tests() {
    step "formatting and lints"
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    step "tests in Rust, on SQLite and PostgreSQL"
    cargo test --workspace --locked
    step "the spec tests once more, on PostgreSQL"
    CARNET_SPEC_ENGINE=postgres cargo test --locked -p carnet-server --test spec
    step "documentation"
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked -q
}

# The binary as users run it. The tests that drive a binary from outside take this one.
build_binary() {
    step "the release build"
    # Alone, as the README's command builds it: with another package beside it, features differ and it would be built again.
    cargo build --release --locked -p carnet
    export CARNET_BIN="$PWD/target/release/carnet"
}

# The README's first command, but for the ports.
readme_demo() {
    step "cargo run --release -- demo"
    local out="$work/demo.json"
    cargo run --release --locked -q -- demo --json --port 0 --api-port 0 >"$out" &
    local demo=$!
    # Long enough for a build, should the one above not be the same.
    for _ in $(seq 3000); do [ -s "$out" ] && break; kill -0 "$demo" 2>/dev/null || break; sleep 0.1; done
    curl -fsS "$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["issuer"])' "$out")/health/ready"
    kill "$demo"
    wait "$demo" || true
}

# Clients wait more than they work: meanwhile, whatever is left of the machine compiles the tests in Rust. What fails here fails again in its step.
compile_ahead() {
    nice -n 19 cargo clippy --workspace --all-targets --locked -q || true
    nice -n 19 cargo test --workspace --locked --no-run -q || true
} >"$work/ahead.log" 2>&1

# Out of the way of what is compiled later.
build_example() {
    cargo build --locked -p server-rendered
    cp target/debug/server-rendered "$work/"
    export SERVER_RENDERED_BIN="$work/server-rendered"
}

interop_tests() {
    step "the mission's own programs (Node, Express, jsonwebtoken)"
    ./interop/mission/run
    step "OAuth and OpenID clients that we did not write (Node, Python, Rust, and one in Chromium)"
    ./interop/clients/run
    step "forward-auth for the real nginx, Caddy, HAProxy and Envoy"
    ./interop/forward-auth/run
    step "the gateway in front of the real nginx, Node, gunicorn and PHP: smuggling, bad answers, spoofed headers"
    ./interop/gateway/run
    step "the pages, the web tools, the browser examples and the quickstart in Chromium (Playwright, axe-core)"
    ./interop/browser/run
}

install_tools
start_postgres
start_redis
case ${1:-all} in
    rust) build_binary; rust_tests ;;
    interop) build_binary; build_example; interop_tests ;;
    all)
        build_binary
        readme_demo
        build_example
        compile_ahead &
        ahead=$!
        interop_tests
        wait $ahead
        rust_tests
        ;;
    *) echo "usage: ./test.sh [rust|interop]" >&2; exit 2 ;;
esac
step "all passed"
