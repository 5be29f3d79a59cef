"""Anonymous memory of `simdetr extract` by the number of images, which it must not follow.

    python benches/memory_extract.py target/release/simdetr IMAGE_FOLDER [--counts 100 1000] [--threads 2]

Each run extracts the first COUNT images of the folder (by name) into a fresh store, and RssAnon of
`/proc/PID/status` is sampled every 10 ms until the command ends. Printed are the largest sample,
the median of the last tenth of the run, and their ratios to the first run's. The memory of a run
does not depend on how busy the machine is but for the images that happen to be worked on at once;
`--rounds` repeats each run and keeps the largest.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


def rss_anon_kib(pid):
    """RssAnon in KiB, or None once the process has given its memory back."""
    try:
        with open(f"/proc/{pid}/status") as status:
            for line in status:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1])
    except FileNotFoundError:
        pass
    return None


def samples_of(binary, images, threads, folder, extra):
    """RssAnon in MB over the run of `extract` on `images`, and its seconds."""
    source = folder / f"images{len(images)}"
    if not source.exists():
        source.mkdir()
        for image in images:
            (source / image.name).symlink_to(image.resolve())
    with tempfile.TemporaryDirectory(dir=folder) as run:
        command = [binary, "extract", "--images", str(source), "--out", os.path.join(run, "run")]
        command += ["--json", "--threads", str(threads), *extra]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        samples = []
        while process.poll() is None:
            if (kib := rss_anon_kib(process.pid)) is not None:
                samples.append(kib * 1024 / 1e6)
            time.sleep(0.01)
        if process.returncode != 0:
            raise SystemExit(f"{' '.join(command)} answered {process.returncode}")
        return samples, time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("images", type=pathlib.Path)
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--extra", nargs="*", default=[], help="further arguments of extract")
    options = parser.parse_args()
    images = sorted(path for path in options.images.iterdir() if path.suffix.lower() in SUFFIXES)
    first = None
    with tempfile.TemporaryDirectory() as folder:
        for count in options.counts:
            peaks, ends = [], []
            for _ in range(options.rounds):
                chosen = images[:count]
                samples, seconds = samples_of(
                    options.binary, chosen, options.threads, pathlib.Path(folder), options.extra
                )
                peaks.append(max(samples))
                ends.append(statistics.median(samples[-max(1, len(samples) // 10) :]))
            peak, end = max(peaks), max(ends)
            first = first or (peak, end)
            print(
                f"{len(chosen):6} images: peak {peak:6.1f} MB (x{peak / first[0]:.3f}), last tenth "
                f"{end:6.1f} MB (x{end / first[1]:.3f}), {seconds:.1f} s, peaks of the rounds "
                f"{[round(value, 1) for value in peaks]}",
                flush=True,
            )


if __name__ == "__main__":
    main()
