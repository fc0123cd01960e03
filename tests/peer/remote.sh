#!/usr/bin/env bash
# A window on one end of a slow line, the engine on the other: an sshd on loopback, on a port and with keys of its own,
# 100 ms from question to answer and 5 Mbit/s each way (slow_line.py); then remote.rs, which prints one line per measure.
#   tests/peer/remote.sh [ONE_WAY_MS [MBIT [CLICKS]]]      needs sshd, ssh, ssh-keygen, python3
# BENCH and BAGSSL name programs that are built already. APART=1 gives each end a processor of its own, as two machines
# have: what is trained over there takes no time of the window.
set -euo pipefail
cd "$(dirname "$0")/../.."
delay=${1:-50} mbit=${2:-5} clicks=${3:-20}
if [ -z "${BENCH:-}" ]; then
    cargo build --release
    # Its name ends in a hash.
    BENCH=$(cargo build --release --bench remote --message-format json |
        sed -n 's/.*"name":"remote".*"executable":"\([^"]*\)".*/\1/p')
fi
program=${BAGSSL:-$PWD/target/release/bagssl}
place=$(mktemp -d)
port=$((20000 + RANDOM % 20000))
trap 'kill "$daemon" 2>/dev/null || true; rm -rf "$place"' EXIT
ssh-keygen -q -t ed25519 -N '' -f "$place/host"
ssh-keygen -q -t ed25519 -N '' -f "$place/user"
cp "$place/user.pub" "$place/known"
cat > "$place/sshd" <<CONF
Port $port
ListenAddress 127.0.0.1
HostKey $place/host
AuthorizedKeysFile $place/known
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
CONF
[ "$(id -u)" != 0 ] || mkdir -p /run/sshd
"$(command -v sshd || echo /usr/sbin/sshd)" -D -e -f "$place/sshd" 2> "$place/log" &
daemon=$!
cat > "$place/config" <<CONF
Host far
    HostName 127.0.0.1
    Port $port
    User $(id -un)
    IdentityFile $place/user
    IdentitiesOnly yes
    UserKnownHostsFile $place/hosts
    StrictHostKeyChecking accept-new
    ProxyCommand python3 $PWD/tests/peer/slow_line.py %h %p $delay $mbit
CONF
near=()
if [ -n "${APART:-}" ]; then
    printf '#!/bin/sh\nexec taskset -c 1 "%s" "$@"\n' "$program" > "$place/far"
    chmod +x "$place/far"
    program=$place/far near=(taskset -c 0)
fi
"${near[@]}" "$BENCH" far "ssh -F $place/config" "$program" "$clicks"
