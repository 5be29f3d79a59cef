"""k-means beside faiss and superkmeans: K = 2048, all points, 10 rounds and the final assignment.

    cargo bench --bench kmeans --no-run
    python benches/peers_kmeans.py --binary target/release/deps/kmeans-... [--points FILE.f32]

Without --points, unit vectors of Gaussians; FILE.f32 holds rows of --dimensions floats, for
example the vectors of a proposal store. Ours and faiss start from the same rows and run
interleaved in processes of their own, each --repeats times; superkmeans draws its own rows. The
columns are the least wall and processor seconds, the ratio to ours, and how good the end is:
`wrong` counts our labels that differ from a brute force in f64 by more than a margin of 1e-5.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

PEER = """
import json, sys, time
import numpy as np
name, points, start, dimensions, rounds, threads, out = sys.argv[1:]
x = np.fromfile(points, "<f4").reshape(-1, int(dimensions))
c = np.fromfile(start, "<f4").reshape(-1, int(dimensions))
threads, rounds, many = int(threads), int(rounds), 10**9
def faiss_run():
    import faiss
    faiss.omp_set_num_threads(threads)
    run = faiss.Kmeans(x.shape[1], len(c), niter=rounds, spherical=True,
                       max_points_per_centroid=many, min_points_per_centroid=1)
    begin = time.perf_counter(), time.process_time()
    run.train(x, init_centroids=c)
    labels = run.index.search(x, 1)[1][:, 0]
    return begin, run.centroids, labels
def superkmeans_run():
    from superkmeans import SuperKMeans
    run = SuperKMeans(len(c), x.shape[1], hierarchical=False, iters=rounds, sampling_fraction=1.0,
                      max_points_per_cluster=many, n_threads=threads, early_termination=False,
                      angular=True)
    begin = time.perf_counter(), time.process_time()
    centroids = run.train(x)
    labels = run.assign(x, centroids)
    return begin, np.asarray(centroids), labels
begin, centroids, labels = {"faiss": faiss_run, "superkmeans": superkmeans_run}[name]()
seconds = time.perf_counter() - begin[0], time.process_time() - begin[1]
np.asarray(centroids, "<f4").tofile(out + ".centroids")
np.asarray(labels, "<u4").tofile(out + ".labels")
print(json.dumps({"seconds": seconds[0], "processor_seconds": seconds[1]}))
"""


def measure(command):
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def quality(points, out, dimensions):
    """Mean cosine of the labels that a run gave, and labels that are wrong beyond the margin."""
    centroids = np.fromfile(f"{out}.centroids", "<f4").reshape(-1, dimensions).astype(np.float64)
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    labels = np.fromfile(f"{out}.labels", "<u4")
    wrong, cosines = 0, 0.0
    for first in range(0, len(points), 4096):
        rows = points[first : first + 4096].astype(np.float64)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        scores = rows @ centroids.T
        chosen = scores[np.arange(len(rows)), labels[first : first + 4096]]
        wrong += int((scores.max(1) - chosen > 1e-5).sum())
        cosines += chosen.sum()
    return cosines / len(points), wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True)
    parser.add_argument("--points")
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--dimensions", type=int, default=256)
    parser.add_argument("--classes", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        if options.points:
            points = np.fromfile(options.points, "<f4").reshape(-1, options.dimensions)
        else:
            points = random.normal(size=(options.count, options.dimensions)).astype(np.float32)
        points = points[: options.count]
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        points.tofile(path / "points")
        points[random.choice(len(points), options.classes, replace=False)].tofile(path / "start")
        numbers = [str(options.dimensions), str(options.rounds), str(options.threads)]
        files = [str(path / "points"), str(path / "start")]
        commands = {"ours": [options.binary, *files, *numbers, "spherical", str(path / "ours")]}
        for name in ["faiss", "superkmeans"]:
            arguments = [name, *files, *numbers, str(path / name)]
            commands[name] = [sys.executable, "-c", PEER, *arguments]
        times = {name: [] for name in commands}
        for _ in range(options.repeats):
            for name, command in commands.items():
                times[name].append(measure(command))
                time.sleep(0.1)
        print(f"{len(points)} x {options.dimensions}, K = {options.classes}, {options.rounds} rounds,"
              f" {options.threads} threads")
        print(f"{'':12} {'wall s':>8} {'cpu s':>8} {'wall':>6} {'cpu':>6} {'mean cosine':>12} {'wrong':>6}")
        keys = ["seconds", "processor_seconds"]
        ours = [min(run[key] for run in times["ours"]) for key in keys]
        for name, runs in times.items():
            best = [min(run[key] for run in runs) for key in keys]
            cosine, wrong = quality(points, path / name, options.dimensions)
            print(f"{name:12} {best[0]:8.2f} {best[1]:8.2f} {best[0] / ours[0]:5.2f}x"
                  f" {best[1] / ours[1]:5.2f}x {cosine:12.6f} {wrong:6}")


main()
