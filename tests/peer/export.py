"""`bagssl bank export` read back by other tools: NumPy, pyarrow, pandas, DuckDB and Python's csv; and by `bank import`.

    cargo build --release
    python tests/peer/export.py [--program target/release/bagssl]

needs numpy, pyarrow, pandas and duckdb. A bank is made of a folder with a picture that turns out to be broken, whose patches
must be missing everywhere; then all forms of export must hold the same rows, in the same order. So must the files of
tests/fixtures/export, which `UPDATE_EXPORT=1 cargo test --release --lib parquet` writes.
"""

import argparse
import csv
import json
import subprocess
import tempfile
from pathlib import Path

import duckdb
import numpy as np
import pandas
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = ["image", "path", "y", "x", "size", "label", "class", "split"]


def check_fixture():
    """The file that the program's own tests hold its bytes to, against the same rows in .npy and .csv."""
    folder = ROOT / "tests/fixtures/export"
    table = pq.read_table(folder / "h.parquet").to_pylist()
    vectors = np.load(folder / "h.npy")
    with open(folder / "h.csv", newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert len(table) == len(lines) == len(vectors) > 0
    for row, line, vector in zip(table, lines, vectors):
        assert np.array_equal(np.float32(row.pop("vector")), vector)
        assert line == {column: "" if value is None else str(value) for column, value in row.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=ROOT / "target/release/bagssl")
    program = parser.parse_args().program

    def bagssl(*arguments):
        command = [program, *arguments, "--device", "cpu", "--json"]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)

    check_fixture()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        data, bank = folder / "data", folder / "bank"
        bagssl("data", "synth", "--out", data, "--images", "40")
        train = data / "train"
        pictures = sorted(train.rglob("*.png"))
        broken, odd = pictures[7], pictures[3].with_name('odd, "name" é.png')
        # Its frame is whole, so that it has a place in the bank.
        pixels = bytearray(broken.read_bytes())
        middle = len(pixels) // 2
        pixels[middle : middle + 64] = bytes(64)
        broken.write_bytes(pixels)
        pictures[3].rename(odd)
        made = bagssl("embed", "--data", data, "--patch", "16", "--stride", "16", "--out", bank)
        skipped = [picture["file"] for picture in made["skipped"]]
        assert skipped == [broken.relative_to(train).as_posix()], skipped
        export = ["bank", "export", bank, "--space", "h", "--out"]
        npy, index_csv, table, index_table = (
            folder / name for name in ["h.npy", "h.csv", "h.parquet", "index.parquet"]
        )
        report = bagssl(*export, npy, "--index", index_csv)
        bagssl(*export, table, "--index", index_table)
        assert (report["rows"], report["patches"]) == (39 * 16, 40 * 16), report

        vectors = np.load(npy)
        assert vectors.shape == (39 * 16, report["width"]) and np.isfinite(vectors).all()
        arrow = pq.read_table(table)
        assert arrow.column_names == [*COLUMNS, "vector"], arrow.column_names
        assert json.loads(arrow.schema.metadata[b"bank"])["grid"] == {"patch": 16, "stride": 16}
        nested = arrow["vector"].combine_chunks()
        flat = nested.flatten().to_numpy().reshape(len(arrow), -1)
        assert np.array_equal(flat.view(np.uint32), vectors.view(np.uint32)), "vectors differ"
        frame = pandas.read_parquet(table)
        assert np.array_equal(np.stack(frame["vector"].to_list()), vectors)
        assert frame[COLUMNS].equals(pandas.read_parquet(index_table)), "the index differs"
        duck = duckdb.sql(f"select path, y, x, size, label, split, vector from '{table}'").fetchnumpy()
        assert np.array_equal(np.stack(list(duck["vector"])), vectors) and list(duck["path"]) == list(frame["path"])
        # And back: what pandas and DuckDB write of it is the same bank, to the bit.
        frame.to_parquet(folder / "pandas.parquet")
        duckdb.sql(f"copy (select * from '{table}') to '{folder / 'duckdb.parquet'}' (format parquet)")
        for name in ["h.parquet", "pandas.parquet", "duckdb.parquet"]:
            back = folder / f"back-{name}"
            made = bagssl("bank", "import", folder / name, "--data", train, "--dtype", "f16", "--out", back)
            assert made["patches"] == 39 * 16, made
            again = folder / f"again-{name}.npy"
            bagssl("bank", "export", back, "--space", "h", "--out", again)
            assert np.array_equal(np.load(again).view(np.uint32), vectors.view(np.uint32)), name
        assert frame["split"].isna().all() or set(frame["split"]) <= {"train"}
        with open(index_csv, newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
        assert list(lines[0]) == COLUMNS
        for column in COLUMNS:
            texts = frame[column].astype("object").where(frame[column].notna(), "")
            assert [line[column] for line in lines] == [str(value) for value in texts], column
        paths = frame["path"].unique()
        assert odd.relative_to(train).as_posix() in paths and skipped[0] not in paths
        print(f"{len(lines)} rows are the same in .npy with .csv, and in Parquet by pyarrow, pandas and DuckDB, there and back")


if __name__ == "__main__":
    main()
