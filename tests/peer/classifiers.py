"""The kNN classifier and the linear probe beside FAISS, scikit-learn and PyTorch, in one run: the same features and protocol.

    cargo build --release --bench classifiers          # builds our side (tests/peer/classifiers.rs)
    python tests/peer/classifiers.py [--known 50000] [--asked 10000] [--width 512] [--epochs 10] [--threads 2]

needs numpy, torch, faiss-cpu, scikit-learn. kNN: the k nearest by cosine vote with exp(s / 0.07). Linear: softmax
regression by SGD in batches of 100 (rate 0.03, momentum 0.9, decay 5e-5, cosine by the epoch), data in memory. Programs
in turns, the best round of each counts. All must agree: within 0.2 % for kNN (ties), 1 % for the probe (other orders).
"""

import argparse
import glob
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import faiss
import numpy as np
import torch
from sklearn.neighbors import KNeighborsClassifier

ROOT = Path(__file__).resolve().parents[2]
CLASSES, TEMPERATURE = 10, 0.07


def binary():
    deps = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/deps"
    built = [path for path in glob.glob(str(deps / "classifiers-*")) if os.access(path, os.X_OK)]
    if not built:
        raise SystemExit("our side is not built: cargo build --release --bench classifiers")
    return max(built, key=os.path.getmtime)


def features(args, rng):
    """Ten classes of several modes each, behind a ReLU as the features of a network are."""
    modes = rng.standard_normal((CLASSES * 8, args.width), dtype=np.float32)
    count = args.known + args.asked
    mode = rng.integers(0, len(modes), count)
    values = 0.35 * modes[mode] + rng.standard_normal((count, args.width), dtype=np.float32)
    return np.maximum(values, 0), (mode % CLASSES).astype(np.uint32)


def unit(values):
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def voted(cosines, near, labels):
    weights = np.exp(cosines / TEMPERATURE)
    votes = np.zeros((len(near), CLASSES))
    for place in range(near.shape[1]):
        np.add.at(votes, (np.arange(len(near)), labels[near[:, place]]), weights[:, place])
    return votes.argmax(1)


def in_faiss(known, asked, labels, k):
    index = faiss.IndexFlatIP(known.shape[1])
    index.add(unit(known))
    return voted(*index.search(unit(asked), k), labels)


def in_sklearn(known, asked, labels, k):
    model = KNeighborsClassifier(k, metric="cosine", algorithm="brute", weights=lambda d: np.exp((1 - d) / TEMPERATURE))
    return model.fit(known, labels).predict(asked)


def in_torch(known, asked, labels, k):
    known = torch.nn.functional.normalize(torch.from_numpy(known))
    labels = torch.from_numpy(labels.astype(np.int64))
    found = []
    for some in torch.from_numpy(asked).split(256):
        cosines, near = (torch.nn.functional.normalize(some) @ known.T).topk(k)
        votes = torch.zeros(len(some), CLASSES).scatter_add_(1, labels[near], (cosines / TEMPERATURE).exp())
        found.append(votes.argmax(1))
    return torch.cat(found).numpy()


def probe(known, asked, labels, epochs):
    torch.manual_seed(0)
    values, labels = torch.from_numpy(known), torch.from_numpy(labels.astype(np.int64))
    layer = torch.nn.Linear(values.shape[1], CLASSES)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.03, momentum=0.9, weight_decay=5e-5)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for batch in torch.randperm(len(values)).split(100):
            optimizer.zero_grad(set_to_none=True)
            torch.nn.functional.cross_entropy(layer(values[batch]), labels[batch]).backward()
            optimizer.step()
        schedule.step()
    with torch.no_grad():
        return layer(torch.from_numpy(asked)).argmax(1).numpy()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--known", type=int, default=50_000)
    parser.add_argument("--asked", type=int, default=10_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--k", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    faiss.omp_set_num_threads(args.threads)
    values, labels = features(args, np.random.default_rng(0))
    known, asked = values[: args.known], values[args.known :]
    of_known, right = labels[: args.known], labels[args.known :]
    peers = {
        ("knn", "FAISS IndexFlatIP"): lambda: in_faiss(known, asked, of_known, args.k),
        ("knn", "scikit-learn"): lambda: in_sklearn(known, asked, of_known, args.k),
        ("knn", "PyTorch"): lambda: in_torch(known, asked, of_known, args.k),
        ("linear", "PyTorch"): lambda: probe(known, asked, of_known, args.epochs),
    }
    taken = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("known.f32", "asked.f32", "labels.u32")]
        for path, array in zip(paths, (known, asked, labels)):
            array.tofile(path)
        environment = {**os.environ, "RAYON_NUM_THREADS": str(args.threads)}
        words = [binary(), *map(str, paths), *map(str, (args.width, CLASSES, args.k, args.epochs))]
        for _ in range(args.rounds):
            report = json.loads(subprocess.run(words, env=environment, check=True, capture_output=True).stdout)
            for what, found in report.items():
                taken.setdefault((what, "bagssl"), []).append((found["seconds"], found["accuracy"]))
            for name, call in peers.items():
                clock = time.perf_counter()
                found = call()
                seconds = time.perf_counter() - clock
                taken.setdefault(name, []).append((seconds, float((found == right).mean())))
    print(f"{args.known:,} known, {args.asked:,} asked x {args.width}, {args.threads} threads, best of {args.rounds} rounds")
    for (what, who), rounds in taken.items():
        seconds, accuracy = min(rounds)
        own_seconds, own_accuracy = min(taken[what, "bagssl"])
        print(f"{what:7} {who:18} {seconds:8.2f} s  accuracy {accuracy:.4f}  {seconds / own_seconds:6.2f} x bagssl's time")
        assert abs(accuracy - own_accuracy) <= (0.002 if what == "knn" else 0.01), (what, who)


if __name__ == "__main__":
    main()
