"""Local clustering beside scikit-learn and scipy: time ratios and accuracy, in turns.

Usage: peers_spectral.py PATH_OF_SPECTRAL_BENCH [--rounds N] [--threads N] [--maps MAP32 MAP16]

PATH is the binary that `cargo bench --no-run --bench spectral` names. Both sides get the same maps
(225x2048 and 900x1024), the same affinity, the same number of k-means starts and the same threads
(2 by default; on a busy machine 1 is fairer, because the peers' threads spin). The peers are given
the affinity; its time counts for us only, but for a row of its own. Maps given as .npy are [height, width,
channels] f32; without them maps with 8 and 16 known parts are drawn.
"""
import argparse
import os
import subprocess
import tempfile
import time
import warnings

import numpy as np
import scipy
import sklearn
from scipy.sparse.linalg import LinearOperator, eigsh
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

STARTS = 10
TEMPERATURE = 0.1
COUNTS = [[2, 4, 8], [8, 16]]


def known_parts(height, width, channels, parts, noise, seed):
    """Rectangles on a grid, each with its own random direction; features are non-negative."""
    random = np.random.default_rng(seed)
    rows = int(np.sqrt(parts))
    while parts % rows:
        rows -= 1
    columns = parts // rows
    y, x = np.mgrid[0:height, 0:width]
    labels = (y * rows // height) * columns + x * columns // width
    centres = np.maximum(random.normal(size=(parts, channels)), 0)
    values = centres[labels] + noise * random.normal(size=(height, width, channels))
    return np.maximum(values, 0).astype(np.float32), labels.ravel()


def unit_rows(values, standardise):
    rows = values.reshape(-1, values.shape[-1]).astype(np.float64)
    if standardise:
        rows = rows - rows.mean(0)
        deviation = rows.std(0)
        rows = np.where(deviation > 0, rows / np.where(deviation > 0, deviation, 1), 0)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def affinity_of(kind, rows):
    cosine = rows @ rows.T
    return cosine if kind == "cosine" else np.exp((cosine - 1) / TEMPERATURE)


class Ours:
    """The bench binary, kept alive; one line asks for one run."""

    def __init__(self, binary, kind, maps, counts, folder, threads):
        low_rank = kind == "cosine"
        config = os.path.join(folder, f"{kind}.toml")
        with open(config, "w") as file:
            file.write(
                f'affinity = "{kind}"\ntemperature = {TEMPERATURE}\nkmeans_starts = {STARTS}\n'
                f'center = "{"none" if low_rank else "image"}"\n'
                f'scale = "{"none" if low_rank else "image"}"\neigen_tolerance = 1e-4\n'
            )
        arguments, self.jobs = [], []
        for index, (values, ks) in enumerate(zip(maps, counts)):
            path = os.path.join(folder, f"{kind}{index}.bin")
            values.tofile(path)
            height, width, channels = values.shape
            arguments.append(f"{path}:{height}:{width}:{channels}:{','.join(map(str, ks))}")
            self.jobs.append((path, height * width, ks))
        self.process = subprocess.Popen(
            [binary, str(threads), config, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def seconds(self):
        return float(self.ask("run").split()[0])

    def results(self):
        self.ask("dump")
        for path, cells, ks in self.jobs:
            labels = np.fromfile(path + ".labels", np.uint32).reshape(len(ks), cells)
            vectors = np.fromfile(path + ".vectors", np.float32).reshape(cells, max(ks))
            yield labels, vectors

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def scikit(affinities, counts):
    for affinity, ks in zip(affinities, counts):
        for k in ks:
            SpectralClustering(
                k, affinity="precomputed", n_init=STARTS, random_state=0, assign_labels="kmeans"
            ).fit(affinity)


def eigsh_and_kmeans(operators, counts):
    for operator, ks in zip(operators, counts):
        values, vectors = eigsh(operator, k=max(ks), which="LA", tol=1e-4)
        vectors = vectors[:, np.argsort(-values)]
        for k in ks:
            rows = vectors[:, :k] / np.linalg.norm(vectors[:, :k], axis=1, keepdims=True)
            KMeans(k, n_init=STARTS, random_state=0).fit(rows)


def operator_of(kind, rows, affinity):
    """D^-1/2 W D^-1/2 in f32, as the peer would write it: never formed where it is low-rank."""
    scale = (1 / np.sqrt(affinity.sum(1))).astype(np.float32)
    if kind == "cosine":
        factor = rows.astype(np.float32) * scale[:, None]
        product = lambda x: factor @ (factor.T @ x)
    else:
        normalised = affinity.astype(np.float32) * scale[:, None] * scale
        product = lambda x: normalised @ x
    return LinearOperator((len(scale),) * 2, matvec=product, matmat=product, dtype=np.float32)


def gram_seconds(maps, symmetric):
    """Both Gram matrices: by ssyrk, which NumPy takes for `a @ a.T` and which computes one triangle, or
    by an sgemm of all their entries, which needs a second operand."""
    pairs = [(rows, rows if symmetric else rows.copy()) for rows in (m.reshape(-1, m.shape[-1]) for m in maps)]
    start = time.perf_counter()
    for rows, others in pairs:
        rows @ others.T
    return time.perf_counter() - start


def times(binary, kind, maps, rounds, folder, threads):
    rows = [unit_rows(values, kind != "cosine") for values in maps]
    affinities = [affinity_of(kind, r) for r in rows]
    singles = [r.astype(np.float32) for r in rows]
    operators = [operator_of(kind, r, a) for r, a in zip(rows, affinities)]
    ours = Ours(binary, kind, maps, COUNTS, folder, threads)
    columns = {"ours": [], "scikit-learn": [], "eigsh + KMeans": [], "sgemm of both Grams": [],
        "ssyrk of both Grams": [], "scikit-learn and the affinity": []}
    ours.seconds()
    for _ in range(rounds):
        columns["ours"].append(min(ours.seconds() for _ in range(3)))
        start = time.perf_counter()
        scikit(affinities, COUNTS)
        columns["scikit-learn"].append(time.perf_counter() - start)
        start = time.perf_counter()
        for r in singles:
            affinity_of(kind, r)
        columns["scikit-learn and the affinity"].append(columns["scikit-learn"][-1] + time.perf_counter() - start)
        start = time.perf_counter()
        eigsh_and_kmeans(operators, COUNTS)
        columns["eigsh + KMeans"].append(time.perf_counter() - start)
        columns["sgemm of both Grams"].append(min(gram_seconds(maps, False) for _ in range(3)))
        columns["ssyrk of both Grams"].append(min(gram_seconds(maps, True) for _ in range(3)))
    mine = np.array(columns["ours"])
    for name, values in columns.items():
        ratio = np.median(np.array(values) / mine)
        print(f"  {name:29} min {1e3 * min(values):8.1f} ms   ÷ ours {ratio:6.2f} (median of rounds)")
    ours.close()


def spaces(binary, kind, maps, folder):
    """Principal angle to the exact space where it is defined, residual where it is not."""
    ours = Ours(binary, kind, maps, COUNTS, folder, 1)
    ours.seconds()
    for values, ks, (_, vectors) in zip(maps, COUNTS, ours.results()):
        affinity = affinity_of(kind, unit_rows(values, kind != "cosine"))
        scale = 1 / np.sqrt(affinity.sum(1))
        matrix = affinity * scale[:, None] * scale
        exact_values, exact = scipy.linalg.eigh(matrix)
        exact_values, exact = exact_values[::-1], exact[:, ::-1]
        vectors = vectors.astype(np.float64)
        for k in ks:
            gap = exact_values[k - 1] - exact_values[k]
            angle = scipy.linalg.subspace_angles(exact[:, :k], vectors[:, :k]).max()
            found = vectors[:, :k]
            ritz = np.einsum("ij,ij->j", found, matrix @ found)
            residual = np.linalg.norm(matrix @ found - found * ritz, axis=0).max()
            judged = f"angle {angle:.1e} (< 1e-2)" if gap > 1e-2 else f"residual {residual:.1e} (< 1e-4)"
            print(f"  {len(matrix)} cells, K {k:2}: gap {gap:.4f}, {judged}")
    ours.close()


def agreement(binary, kind, folder):
    for cells, channels, ks in [(15, 2048, [2, 4, 8]), (30, 1024, [8, 16])]:
        for k in ks:
            values, labels = known_parts(cells, cells, channels, k, 0.5, k)
            ours = Ours(binary, kind, [values], [[k]], folder, 1)
            ours.seconds()
            [(found, _)] = ours.results()
            ours.close()
            theirs = SpectralClustering(
                k, affinity="precomputed", n_init=STARTS, random_state=0
            ).fit_predict(affinity_of(kind, unit_rows(values, kind != "cosine")))
            known = adjusted_rand_score(labels, found[0])
            print(
                f"  {cells * cells} cells, K {k:2}: ARI to the known parts {known:.4f}, "
                f"to scikit-learn {adjusted_rand_score(theirs, found[0]):.4f}"
            )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--maps", nargs=2)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    if options.maps:
        maps = [np.load(path).astype(np.float32) for path in options.maps]
    else:
        maps = [known_parts(15, 15, 2048, 8, 1.5, 1)[0], known_parts(30, 30, 1024, 16, 1.5, 2)[0]]
    print(f"scikit-learn {sklearn.__version__}, scipy {scipy.__version__}, "
        f"{options.threads} threads, {STARTS} starts")
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(options.threads):
        for kind in ["cosine", "cosine_exp"]:
            print(f"{kind}: five clusterings of one image's maps")
            times(options.binary, kind, maps, options.rounds, folder, options.threads)
            spaces(options.binary, kind, maps, folder)
            agreement(options.binary, kind, folder)


if __name__ == "__main__":
    main()
