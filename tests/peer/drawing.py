#!/usr/bin/env python3
"""How much the Train tab slows training: the same run headless and in a window that shows it.

Both runs go on all the time, one of them stopped (SIGSTOP) while the other works, in turns of a few seconds:
whatever else the machine does falls on both alike. Steps are counted by the lines of metrics.jsonl.

    python3 tests/peer/drawing.py target/release/bagssl --rounds 12 --seconds 15

Needs Xvfb and xdotool. Prints one JSON object; the exit status is 1 where the window's steps per second are
less than 0.95 of those without one.
"""

import argparse
import json
import os
import pathlib
import signal
import statistics
import subprocess
import tempfile
import time

# Seconds after a turn's begin that do not count: a window that was stopped draws at once what it missed, which one
# that runs all the time never does.
SETTLE = 2.0
RECIPE = "quick-parts"  # the recipe that the Train tab begins with, on the data that the window opens with


def steps(run):
    """Lines of metrics so far; None before the first."""
    file = run / "metrics.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else None


def wait_for(what, ready, seconds=240):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = ready()
        if value:
            return value
        time.sleep(0.5)
    raise SystemExit(f"{what}: not within {seconds} s")


def start_headless(program, folder):
    run = folder / "headless"
    command = [program, "train", "--data", "demo", "--recipe", RECIPE, "--out", run, "--log-every", "1"]
    return run, subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def start_window(program, folder, display):
    """The window at 1280 x 800, its Train tab open, the same run started there by its keys."""
    environment = {**os.environ, "DISPLAY": display, "XDG_DATA_HOME": str(folder), "HOME": str(folder)}
    environment.pop("WAYLAND_DISPLAY", None)
    log = open(folder / "window.log", "wb")
    window = subprocess.Popen([program], cwd=folder, env=environment, stdout=log, stderr=log)

    def xdotool(*words):
        done = subprocess.run(["xdotool", *words], env=environment, capture_output=True, text=True)
        return done.stdout.split()

    found = wait_for("the window", lambda: xdotool("search", "--onlyvisible", "--pid", str(window.pid)))
    xdotool("windowfocus", "--sync", found[0])
    xdotool("windowsize", "--sync", found[0], "1280", "800")

    def started():
        xdotool("windowfocus", found[0])
        xdotool("key", "ctrl+2")
        time.sleep(1)
        xdotool("key", "ctrl+Return")
        time.sleep(4)
        return list((folder / "runs").glob("*/config.toml"))

    return wait_for("the window's run", started)[0].parent, window


def turns(runs, rounds, seconds):
    """Steps per second of each run in each round."""
    rates = {name: [] for name in runs}
    for turn in range(rounds):
        names = list(runs) if turn % 2 == 0 else list(reversed(runs))
        for name in names:
            run, process = runs[name]
            process.send_signal(signal.SIGCONT)
            time.sleep(SETTLE)
            before, clock = steps(run), time.monotonic()
            time.sleep(seconds)
            rates[name].append((steps(run) - before) / (time.monotonic() - clock))
            process.send_signal(signal.SIGSTOP)
    return rates


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--display", default=":83")
    parser.add_argument("--screenshot", type=pathlib.Path, help="the window at the end (ImageMagick)")
    options = parser.parse_args()
    program = options.program.resolve()
    processes = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        screen = ["Xvfb", options.display, "-screen", "0", "1280x800x24", "-nolisten", "tcp"]
        processes.append(subprocess.Popen(screen, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        time.sleep(2)
        try:
            # The window first, alone, so that opening it falls on nobody.
            window = start_window(program, folder, options.display)
            processes.append(window[1])
            wait_for("steps in the window", lambda: (steps(window[0]) or 0) >= 3)
            window[1].send_signal(signal.SIGSTOP)
            headless = start_headless(program, folder)
            processes.append(headless[1])
            wait_for("steps without a window", lambda: (steps(headless[0]) or 0) >= 3)
            headless[1].send_signal(signal.SIGSTOP)
            rates = turns({"headless": headless, "window": window}, options.rounds, options.seconds)
            if options.screenshot:
                window[1].send_signal(signal.SIGCONT)
                time.sleep(2)
                words = ["import", "-display", options.display, "-window", "root", str(options.screenshot)]
                subprocess.run(words, check=True)
        finally:
            for process in reversed(processes):
                process.kill()
                process.wait()
    total = {name: statistics.fmean(values) for name, values in rates.items()}
    ratio = total["window"] / total["headless"]
    pairs = [window / headless for window, headless in zip(rates["window"], rates["headless"])]
    print(
        json.dumps(
            {
                "name": "steps in a window / steps without",
                "value": round(ratio, 3),
                "rounds": options.rounds,
                "seconds_per_turn": options.seconds,
                "steps_per_second": {name: round(value, 3) for name, value in total.items()},
                "median_of_rounds": round(statistics.median(pairs), 3),
                "least_of_rounds": round(min(pairs), 3),
            },
            indent=1,
        )
    )
    raise SystemExit(0 if ratio >= 0.95 else 1)


if __name__ == "__main__":
    main()
