"""Golden values of local clustering: exact eigenvectors, labels, connected components.

Writes spectral.json and components.json beside this file. Eigenvectors by scipy.linalg.eigh of the
whole normalised affinity in f64, labels by scikit-learn's SpectralClustering on the same affinity,
components by scipy.ndimage.label. Versions of the libraries are in the files.
"""
import json
import pathlib

import numpy as np
import scipy
import scipy.linalg
import scipy.ndimage
import sklearn
from sklearn.cluster import SpectralClustering
from sklearn.metrics.pairwise import cosine_similarity, euclidean_distances

FOLDER = pathlib.Path(__file__).parent
TEMPERATURE, SIGMA, TAU = 0.1, 0.5, 0.2
GROUPS = [8, 4]


def parts_map(random):
    """Eight by ten cells in four parts, twelve non-negative channels."""
    y, x = np.mgrid[0:8, 0:10]
    labels = (y >= 3) * 2 + (x >= 6)
    centres = random.uniform(0, 1, (4, 12))
    values = centres[labels] + 0.05 * random.normal(size=(8, 10, 12))
    return np.round(np.maximum(values, 0), 3), labels.ravel()


def smooth_map(random):
    """Fourteen by fifteen cells without any gap in the spectrum."""
    noise = random.normal(size=(14, 15, 12))
    values = scipy.ndimage.gaussian_filter(noise, (1.5, 1.5, 0), mode="wrap")
    return np.round(values * 3 + 1.5, 3)


def standardised(values):
    rows = values.reshape(-1, values.shape[-1])
    sizes = np.repeat(GROUPS, GROUPS)
    return (rows - rows.mean(0)) / (rows.std(0) * np.sqrt(sizes))


def affinity(name, values):
    if name == "cosine":
        return cosine_similarity(values.reshape(-1, values.shape[-1]))
    rows = standardised(values)
    cosine = cosine_similarity(rows)
    if name == "cosine_shifted":
        return (1 + cosine) / 2
    if name == "cosine_exp":
        return np.exp((cosine - 1) / TEMPERATURE)
    if name == "cosine_minmax":
        return (cosine - cosine.min()) / (cosine.max() - cosine.min())
    if name == "cosine_clamped":
        return np.maximum(cosine, 0)
    if name == "binary":
        return np.where(cosine > TAU, 1, 1e-5)
    squares = euclidean_distances(rows, squared=True)
    return np.exp(-squares / (2 * SIGMA**2 * squares.mean()))


def leading(matrix, count):
    scale = 1 / np.sqrt(matrix.sum(1))
    values, vectors = scipy.linalg.eigh(matrix * scale[:, None] * scale)
    return values[::-1][: count + 1], vectors[:, ::-1][:, :count]


def case(name, values, count, known=None):
    height, width, channels = values.shape
    matrix = affinity(name, values)
    eigenvalues, eigenvectors = leading(matrix, count)
    answer = {
        "affinity": name,
        "map": "parts" if known is not None else "smooth",
        "count": count,
        "eigenvalues": np.round(eigenvalues, 8).tolist(),
        "eigenvectors": np.round(eigenvectors, 6).ravel().tolist(),
    }
    if known is not None:
        fit = SpectralClustering(count, affinity="precomputed", n_init=10, random_state=0)
        answer["labels"] = fit.fit_predict(matrix).tolist()
    return answer


def components(random):
    cases = []
    for connectivity in [4, 8]:
        structure = np.ones((3, 3)) if connectivity == 8 else None
        for height, width, clusters in [(1, 9, 2), (6, 1, 2), (7, 9, 2), (8, 11, 3)]:
            labels = random.integers(0, clusters, (height, width))
            cases.append(
                {
                    "connectivity": connectivity,
                    "width": width,
                    "labels": labels.ravel().tolist(),
                    "parts": [
                        scipy.ndimage.label(labels == k, structure)[0].ravel().tolist()
                        for k in range(clusters)
                    ],
                }
            )
    return cases


def main():
    random = np.random.default_rng(2)
    parts, known = parts_map(random)
    smooth = smooth_map(random)
    names = ["cosine", "cosine_shifted", "cosine_exp", "cosine_minmax", "cosine_clamped", "rbf", "binary"]
    cases = [case(name, parts, 4, known) for name in names]
    cases += [case(name, smooth, 6) for name in ["cosine_shifted", "cosine_exp"]]
    versions = {"scipy": scipy.__version__, "scikit-learn": sklearn.__version__, "numpy": np.__version__}
    document = {
        "versions": versions,
        "temperature": TEMPERATURE,
        "sigma": SIGMA,
        "tau": TAU,
        "groups": GROUPS,
        "maps": {
            "parts": {"height": 8, "width": 10, "channels": 12, "values": parts.ravel().tolist()},
            "smooth": {"height": 14, "width": 15, "channels": 12, "values": smooth.ravel().tolist()},
        },
        "known": known.tolist(),
        "cases": cases,
    }
    (FOLDER / "spectral.json").write_text(json.dumps(document, separators=(",", ":")) + "\n")
    document = {"versions": versions, "cases": components(random)}
    (FOLDER / "components.json").write_text(json.dumps(document, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
