"""Makes golden.safetensors: ten rounds of Lloyd's algorithm from given centroids.

Euclidean by scikit-learn, spherical by faiss (both named in the file's metadata). The points are
Gaussian blobs, drawn so that no label depends on rounding.

    python make.py
"""

import faiss
import numpy as np
import sklearn
from safetensors.numpy import save_file
from sklearn.cluster import KMeans

CLASSES, DIMENSIONS, POINTS, ROUNDS = 12, 16, 600, 10


def margin(scores):
    best = np.sort(scores, axis=1)
    return (best[:, -1] - best[:, -2]).min()


def main():
    random = np.random.default_rng(7)
    centers = random.normal(size=(CLASSES, DIMENSIONS))
    points = centers[random.integers(CLASSES, size=POINTS)]
    points = (points + 0.6 * random.normal(size=points.shape)).astype(np.float32)
    start = points[random.choice(POINTS, CLASSES, replace=False)]

    lloyd = KMeans(CLASSES, init=start, n_init=1, max_iter=ROUNDS, tol=0, algorithm="lloyd")
    lloyd.fit(points.astype(np.float64))
    euclidean = lloyd.cluster_centers_
    scores = points @ euclidean.T - 0.5 * (euclidean**2).sum(1)
    assert margin(scores) > 1e-4, margin(scores)

    units = points / np.linalg.norm(points, axis=1, keepdims=True)
    unit_start = start / np.linalg.norm(start, axis=1, keepdims=True)
    clustering = faiss.Kmeans(
        DIMENSIONS, CLASSES, niter=ROUNDS, spherical=True, max_points_per_centroid=POINTS
    )
    clustering.train(units, init_centroids=unit_start)
    spherical = clustering.centroids
    assert margin(units @ spherical.T) > 1e-4, margin(units @ spherical.T)

    save_file(
        {
            "points": points,
            "start": start,
            "euclidean": euclidean.astype(np.float32),
            "euclidean_labels": scores.argmax(1).astype(np.int32),
            "spherical": spherical,
            "spherical_labels": (units @ spherical.T).argmax(1).astype(np.int32),
        },
        "golden.safetensors",
        metadata={
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
            "faiss": faiss.__version__,
        },
    )


main()
