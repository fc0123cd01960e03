#!/usr/bin/env bash
# A bank in parts by GNU parallel (Debian: parallel), two at a time; then the same jobs again, as after a crash of the
# machine: what is done is left alone. Ends by comparing with the bank of one process.
#
#     cargo build --release
#     tests/peer/parts_parallel.sh [target/release/bagssl]
set -euo pipefail
. "$(dirname "$0")/parts.sh"

make_pictures
for _ in first again; do
    seq "$parts" | parallel --jobs 2 --halt now,fail=1 "${embed[@]@Q}" --shard "{}/$parts" --out "$folder/part-{}"
done
merge_and_compare
