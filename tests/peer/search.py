"""Exact nearest neighbours beside FAISS, in one run: the same rows, queries, k and threads.

    cargo build --release --bench search                 # builds our side (tests/peer/search.rs)
    python tests/peer/search.py [--rows 1000000] [--width 512] [--k 255] [--queries 20]

needs numpy and faiss-cpu, and 12 bytes of disk and 10 of memory for each value. One query at a time, as
a click is. FAISS searches one query on one thread; beside that, its rows are split over as many
IndexShards as there are threads. Recall counts a row as right when it is as near as the true k-th (in
float64, on the original rows), less 1e-6 for rounding.
"""

import argparse
import glob
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import faiss
import numpy as np

ROOT = Path(__file__).resolve().parents[2]


def rows_and_queries(args, rng):
    """Unit rows around 1000 centres, as the patches of some images lie; queries near some of them."""
    centres = rng.standard_normal((1000, args.width), dtype=np.float32)
    rows = np.empty((args.rows, args.width), np.float32)
    for start in range(0, args.rows, 50_000):
        count = min(50_000, args.rows - start)
        noise = rng.standard_normal((count, args.width), dtype=np.float32)
        block = centres[rng.integers(0, len(centres), count)] + noise
        rows[start : start + count] = block / np.linalg.norm(block, axis=1, keepdims=True)
    queries = rows[rng.integers(0, args.rows, args.queries)]
    queries = queries + 0.02 * rng.standard_normal(queries.shape, dtype=np.float32)
    return rows, queries / np.linalg.norm(queries, axis=1, keepdims=True)


def true_cosines(rows, queries):
    """[queries, rows] in float64."""
    blocks = [rows[i : i + 50_000].astype(np.float64) @ queries.T.astype(np.float64) for i in range(0, len(rows), 50_000)]
    return np.concatenate(blocks).T


def recall(found, cosines, k):
    worst = -np.sort(-cosines, axis=1)[:, k - 1]
    right = [(cosines[i][rows] >= worst[i] - 1e-6).sum() / k for i, rows in enumerate(found)]
    return float(np.mean(right))


def binary():
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built = glob.glob(str(target / "release" / "deps" / "search-*"))
    built = [path for path in built if os.access(path, os.X_OK) and not path.endswith(".d")]
    if not built:
        raise SystemExit("our side is not built: cargo build --release --bench search")
    return max(built, key=os.path.getmtime)


def ours(args, folder, dtype):
    bank = folder / f"bank-{dtype}"
    arguments = ["exact", folder / "rows.f32", folder / "queries.f32", args.width, args.k, args.repeats, dtype, bank]
    environment = {**os.environ, "RAYON_NUM_THREADS": str(args.threads)}
    run = subprocess.run([binary(), *map(str, arguments)], env=environment, check=True, capture_output=True)
    shutil.rmtree(bank)
    return json.loads(run.stdout)


def faiss_index(kind, rows, shards):
    def part(rows):
        width = rows.shape[1]
        if kind == "f32":
            index = faiss.IndexFlatIP(width)
        else:
            index = faiss.IndexScalarQuantizer(width, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        index.train(rows[:1000])
        index.add(rows)
        return index

    if shards == 1:
        return part(rows), []
    index = faiss.IndexShards(rows.shape[1], True, True)
    parts = [part(block) for block in np.array_split(rows, shards)]
    for piece in parts:
        index.add_shard(piece)
    return index, parts  # the parts live as long as the index is used


def timed(index, queries, args):
    index.search(queries[:1], args.k)
    milliseconds, found = [], []
    for query in queries:
        for _ in range(args.repeats):
            clock = time.perf_counter()
            _, rows = index.search(query[None], args.k)
            milliseconds.append((time.perf_counter() - clock) * 1e3)
        found.append(rows[0])
    return milliseconds, found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--k", type=int, default=255)
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    faiss.omp_set_num_threads(args.threads)
    rows, queries = rows_and_queries(args, np.random.default_rng(0))
    cosines = true_cosines(rows, queries)
    results = {}
    with tempfile.TemporaryDirectory(dir=os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) as folder:
        folder = Path(folder)
        rows.tofile(folder / "rows.f32")
        queries.tofile(folder / "queries.f32")
        for dtype, size in [("f16", 2), ("f32", 4)]:
            report = ours(args, folder, dtype)
            results["bagssl", dtype] = report["milliseconds"], report["found"]
            floor = args.rows * args.width * size / report["bandwidth"] * 1e3
            print(f"{dtype}: {report['bandwidth'] / 1e9:.1f} GB/s read (best {report['best_bandwidth'] / 1e9:.1f}), so at best {floor:.1f} ms")
            for shards in sorted({1, args.threads}):
                index, parts = faiss_index(dtype, rows, shards)
                results[f"FAISS, {shards} thread{'s' * (shards > 1)}", dtype] = timed(index, queries, args)
                del index, parts
            for (name, kind), (milliseconds, found) in results.items():
                if kind == dtype:
                    p50, p95 = np.quantile(milliseconds, [0.5, 0.95])
                    own = np.median(results["bagssl", dtype][0])
                    print(
                        f"{dtype} {name:<18} p50 {p50:7.1f} ms  p95 {p95:7.1f} ms  n {len(milliseconds)}  "
                        f"recall {recall(found, cosines, args.k):.4f}  {p50 / own:5.2f} x bagssl's time  {floor / p50:5.0%} of the bandwidth"
                    )


if __name__ == "__main__":
    main()
