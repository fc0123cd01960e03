"""Search by codes beside the exact one and FAISS, in one run: the same rows, queries, k and threads.

    cargo build --release --bench search                 # builds our side (tests/peer/search.rs)
    python tests/peer/codes.py FOLDER [--images 50000] [--width 512] [--k 255] [--queries 20]

needs numpy, faiss-cpu, and in FOLDER 2.2 bytes of disk for each value; 361 rows an image (all of CIFAR-10's training
images at stride 1 are 18,050,000). One query at a time, as a click is. FAISS searches one query on one thread, so
its rows are split over as many IndexShards as there are threads; the candidates of its codes are compared again from the
same float16 rows, as ours are, with so many candidates (a power of two times k) as recall asks for, those of 8 bits with twice k; an IVF
probes so many lists (--kinds IVF4096,SQ8: of 18,050,000 rows one of float16 has no room beside them in 23 GB). Recall counts a
row as right when its cosine is at least the true k-th, less 1e-6; the truth is our exact search, which search.py checks.
"""

import argparse
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import faiss
import numpy as np
from search import binary

BLOCK = 100_000


class Rows:
    """Rows of the bank, float16 on disk."""

    def __init__(self, folder, width):
        self.values = np.memmap(folder / "h.f16", np.float16, "r").reshape(-1, width)

    def unit(self, at):
        rows = self.values[at].astype(np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def blocks(self, part):
        for start in range(part.start, part.stop, BLOCK):
            yield self.unit(slice(start, min(start + BLOCK, part.stop)))


def ours(args, *words):
    environment = {**os.environ, "RAYON_NUM_THREADS": str(args.threads)}
    run = subprocess.run([binary(), *map(str, words)], env=environment, check=True, capture_output=True)
    return json.loads(run.stdout)


def made(kind, width):
    """An empty index by inner product."""
    ip = faiss.METRIC_INNER_PRODUCT
    if kind == "RaBitQ":
        return faiss.IndexRaBitQ(width, ip)
    if kind == "SQ8":
        return faiss.IndexScalarQuantizer(width, faiss.ScalarQuantizer.QT_8bit, ip)
    if kind == "SQ f16":
        return faiss.IndexScalarQuantizer(width, faiss.ScalarQuantizer.QT_fp16, ip)
    index = faiss.index_factory(width, kind, ip)
    return index


def filled(kind, rows, args):
    """The index over all rows, in as many shards as there are threads, and seconds to make it."""
    clock = time.perf_counter()
    count, width = rows.values.shape
    places = np.sort(np.random.default_rng(0).choice(count, min(count, args.train), replace=False))
    sample = rows.unit(places)
    is_ivf = kind.startswith("IVF")
    shards = 1 if is_ivf else args.threads
    ends = [count * shard // shards for shard in range(shards + 1)]
    parts = []
    for start, end in zip(ends, ends[1:]):
        part = made(kind, width)
        part.train(sample)
        for block in rows.blocks(range(start, end)):
            part.add(block)
        parts.append(part)
    seconds = time.perf_counter() - clock
    if shards == 1:
        return parts[0], parts, seconds
    index = faiss.IndexShards(width, True, True)
    for part in parts:
        index.add_shard(part)
    return index, parts, seconds


def refined(rows, candidates, query, k):
    candidates = np.sort(candidates[candidates >= 0])
    cosines = rows.unit(candidates) @ query
    best = np.argpartition(-cosines, min(k, len(cosines)) - 1)[:k]
    return candidates[best[np.argsort(-cosines[best])]]


def recall(rows, found, queries, worst):
    right = [(rows.unit(np.sort(hits)) @ query >= least - 1e-6).sum() for hits, query, least in zip(found, queries, worst)]
    return float(np.mean(right)) / len(found[0])


def timed(index, rows, queries, k, factor, repeats):
    """Milliseconds of searches, and what each found. Candidates are compared again where `factor` is over 1."""
    milliseconds, found = [], []
    for query in queries:
        for _ in range(repeats + 1):
            clock = time.perf_counter()
            _, hits = index.search(query[None], k * factor)
            hits = hits[0][:k] if factor == 1 else refined(rows, hits[0], query, k)
            milliseconds.append((time.perf_counter() - clock) * 1e3)
        # The first look at candidates reads them from disk.
        milliseconds.pop(-1 - repeats)
        found.append(hits)
    return milliseconds, found


def settings(kind, index):
    """What is tried, least work first."""
    if kind.startswith("IVF"):
        for probes in [16, 64, 256, 1024]:
            faiss.ParameterSpace().set_index_parameter(index, "nprobe", probes)
            yield f"{probes} lists", 8 if "RaBitQ" in kind else 2 if "SQ8" in kind else 1
    elif kind == "RaBitQ":
        for factor in [2, 4, 8, 16, 32]:
            yield f"{factor} k candidates", factor
    else:
        yield "", 1


def line(name, milliseconds, recall, own, more=""):
    p50, p95 = np.quantile(milliseconds, [0.5, 0.95])
    print(
        f"{name:<40} p50 {p50:8.1f} ms  p95 {p95:8.1f} ms  n {len(milliseconds):<4} recall {recall:.4f}  "
        f"{p50 / own:6.2f} x the time of ours by codes  {more}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--k", type=int, default=255)
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--train", type=int, default=100_000, help="rows that FAISS trains on")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--kinds", nargs="+", default=["RaBitQ", "SQ8", "IVF1024,SQfp16"], help="of FAISS: also 'SQ f16', index_factory's")
    args = parser.parse_args()
    faiss.omp_set_num_threads(args.threads)
    bank = args.folder / f"codes-{args.images}-{args.width}"
    if not (bank / "bank.json").is_file():
        shutil.rmtree(bank, ignore_errors=True)
        print(ours(args, "make", args.images, args.width, args.queries, bank), flush=True)
    rows = Rows(bank, args.width)
    queries = np.fromfile(bank / "queries.f32", np.float32).reshape(-1, args.width)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    print(f"{len(rows.values):,} rows x {args.width}, k {args.k}, {len(queries)} queries, {args.threads} threads", flush=True)

    def of_ours():
        report = ours(args, "codes", bank, args.k, args.repeats)
        worst = [truths[-1][1] for truths in report["truths"]]
        own = np.median(report["by_codes"])
        found = [np.array(hits) for hits in report["found"]]
        by_codes = recall(rows, found, queries, worst)
        line("bagssl by codes", report["by_codes"], by_codes, own, f"{np.mean(report['compared']):,.0f} rows compared")
        line("bagssl by codes, all queries together", report["by_codes_together"], by_codes, own)
        line("bagssl exact", report["exact"], 1.0, own)
        line("bagssl exact, all queries together", report["exact_together"], 1.0, own)
        return worst, own

    worst, own = of_ours()
    for kind in args.kinds:
        index, parts, seconds = filled(kind, rows, args)
        for words, factor in settings(kind, parts[0]):
            milliseconds, found = timed(index, rows, queries, args.k, factor, args.repeats)
            reached = recall(rows, found, queries, worst)
            line(f"FAISS {kind} {words}", milliseconds, reached, own, f"made in {seconds:.0f} s")
            if reached >= 0.995:
                break
        del index, parts
    # Once more at the end: whatever else the machine did meanwhile shows.
    of_ours()


if __name__ == "__main__":
    main()
