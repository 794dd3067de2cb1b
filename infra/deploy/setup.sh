#!/bin/sh
# Makes .venv from uv.lock. Usage: setup.sh run|dev ("run" leaves out the development tools).
# uv is taken from PATH; without one, a pinned uv is put into .tools with Python's own venv or pip.
set -eu
cd "$(dirname "$0")/../.."

UV_VERSION=0.13.8
what=${1:-dev}

fail() {
    printf '\n%s\n' "$*" >&2
    exit 1
}

own_uv() {
    [ -x .tools/bin/uv ] && return
    command -v python3 >/dev/null 2>&1 ||
        fail "Greenlight needs uv, or python3 (3.11 or newer) to install it. On Debian or Ubuntu: apt install python3 python3-venv"
    echo "Installing uv $UV_VERSION into .tools ..."
    rm -rf .tools
    if python3 -c 'import ensurepip, venv' 2>/dev/null; then
        python3 -m venv .tools
        .tools/bin/python -m pip install --quiet --disable-pip-version-check --no-input --root-user-action=ignore "uv==$UV_VERSION" || {
            rm -rf .tools
            fail "Could not install uv with pip: see the lines above."
        }
    elif python3 -m pip --version >/dev/null 2>&1; then
        python3 -m pip install --quiet --disable-pip-version-check --no-input --root-user-action=ignore --target .tools "uv==$UV_VERSION" || {
            rm -rf .tools
            fail "Could not install uv with pip: see the lines above."
        }
    else
        fail "python3 is here, but neither its venv module nor pip is, so uv cannot be installed.
On Debian or Ubuntu: apt install python3-venv
Or install uv yourself and run this again."
    fi
}

if command -v uv >/dev/null 2>&1; then
    uv=uv
else
    own_uv
    uv=.tools/bin/uv
fi

# Where the machine has its own certificates (company proxies), use them; a bare one has none.
for bundle in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
    if [ -s "$bundle" ]; then
        export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"
        break
    fi
done

# Somebody else's active environment must not be the one that is changed.
unset VIRTUAL_ENV UV_PROJECT_ENVIRONMENT

echo "Setting up .venv ..."
case $what in
run) "$uv" sync --frozen --no-dev --inexact --quiet ;;
dev) "$uv" sync --frozen --quiet ;;
*) fail "usage: setup.sh run|dev" ;;
esac || fail "uv could not make .venv: see the lines above. Python 3.11 or newer and access to PyPI (or a mirror, UV_INDEX_URL) are needed."

# Compile what the commands import: without it the first start, and each start of a process that may write no bytecode
# (PYTHONDONTWRITEBYTECODE), takes three times as long.
PYTHONDONTWRITEBYTECODE='' .venv/bin/python -c 'import infra.cli.demo, infra.cli.doctor, infra.cli.run, infra.cli.plan_run, infra.db.alembic_commands, infra.tools.mcp.connection' ||
    echo "Could not compile everything ahead; the first start takes a little longer."

[ "$what" = run ] || touch .venv/.ready-dev
touch .venv/.ready-run
