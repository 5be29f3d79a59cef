"""Local clustering and its filters in plain NumPy: what the library does, for choosing its defaults.

The names of `DEFAULTS` are the library's configuration keys.
"""

import numpy as np
from scipy import ndimage
from scipy.sparse.linalg import eigsh

DEFAULTS = dict(
    temperature=0.07,
    scale="image",
    cluster_counts=((2, 4, 8), (8, 16)),
    kmeans_starts=4,
    connectivity=4,
    centroid_merge_similarity=0.8,
    components_max=10,
    components_size_min=0.005,
    region_size_min=0.005,
    duplicate_iou=0.95,
    nested_similarity=0.98,
    containment_share=0.95,
    cap_overlap="max",
    cap_overlap_min=0.8,
    proposals_max=25,
)


def standardised(values, groups, scale="image", weights=None):
    """Rows of a map, centred on the image, every group of channels weighing the same."""
    rows = values.reshape(-1, values.shape[-1]).astype(np.float32)
    rows = rows - rows.mean(0)
    result, first = [], 0
    for index, size in enumerate(groups):
        part = rows[:, first : first + size]
        first += size
        if scale == "image":
            deviation = part.std(0)
            part = part / np.maximum(deviation, 1e-6 * max(deviation.max(), 1e-12))
        else:
            part = part / max(part.std(), 1e-9)
        result.append(part * ((1.0 if weights is None else weights[index]) / np.sqrt(size)))
    return np.concatenate(result, 1)


def unit(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def eigenvectors(rows, count, temperature):
    """Leading eigenvectors of the normalised affinity exp((cosine - 1) / temperature)."""
    affinity = np.exp((rows @ rows.T - 1) / temperature)
    degree = affinity.sum(1)
    affinity /= np.sqrt(degree[:, None] * degree[None])
    if len(affinity) <= count + 1:
        return np.linalg.eigh(affinity)[1][:, ::-1][:, :count]
    values, vectors = eigsh(affinity, k=count, which="LA", v0=np.sqrt(degree), tol=1e-4)
    return vectors[:, np.argsort(-values)]


def kmeans(points, count, starts, random, rounds=50):
    best, best_inertia = None, np.inf
    for _ in range(starts):
        centroids = [points[random.integers(len(points))]]
        distance = np.square(points - centroids[0]).sum(1)
        for _ in range(1, count):
            total = distance.sum()
            share = distance / total if total > 1e-12 else None
            centroids.append(points[random.choice(len(points), p=share)])
            distance = np.minimum(distance, np.square(points - centroids[-1]).sum(1))
        centroids, labels = np.array(centroids), None
        for _ in range(rounds):
            update = (np.square(centroids).sum(1) - 2 * points @ centroids.T).argmin(1)
            if labels is not None and (update == labels).all():
                break
            labels = update
            members = np.eye(count, dtype=points.dtype)[labels]
            sizes = members.sum(0)
            centroids = np.where(sizes[:, None] > 0, members.T @ points / np.maximum(sizes, 1)[:, None], centroids)
        inertia = np.square(points - centroids[labels]).sum()
        if inertia < best_inertia:
            best, best_inertia = labels, inertia
    return best


def merge_similar(labels, rows, similarity):
    """Filter (a): unites clusters whose mean unit vectors have a cosine above `similarity`."""
    present = np.unique(labels)
    centroids = unit(np.stack([rows[labels == label].mean(0) for label in present]))
    alike = centroids @ centroids.T > similarity
    _, united = _connected(alike)
    return united[np.searchsorted(present, labels)]


def _connected(alike):
    from scipy.sparse.csgraph import connected_components

    return connected_components(alike, directed=False)


def clusterings(maps, groups, options, seed=0, weights=None):
    """Labels of every clustering of every map, after filter (a)."""
    random = np.random.default_rng(seed)
    found = []
    for level, values in enumerate(maps):
        counts = options["cluster_counts"][level]
        rows = unit(standardised(values, groups[level], options["scale"], weights))
        vectors = eigenvectors(rows, max(counts), options["temperature"])
        for count in counts:
            if count >= len(rows):
                continue
            labels = kmeans(unit(vectors[:, :count]), count, options["kmeans_starts"], random)
            found.append((level, labels, rows))
    shapes = [values.shape[:2] for values in maps]
    return found, shapes


def regions(found, shapes, options):
    """Connected components with their masks on the finest map; filter (b)."""
    structure = ndimage.generate_binary_structure(2, 1 if options["connectivity"] == 4 else 2)
    finest = shapes[-1]
    masks = []
    for level, labels, rows in found:
        if options["centroid_merge_similarity"] < 1:
            labels = merge_similar(labels, rows, options["centroid_merge_similarity"])
        labels = labels.reshape(shapes[level])
        for label in np.unique(labels):
            parts, count = ndimage.label(labels == label, structure)
            sizes = np.bincount(parts.ravel())[1:] / parts.size
            if (sizes >= options["components_size_min"]).sum() > options["components_max"]:
                continue
            for index in np.flatnonzero(sizes >= options["region_size_min"]):
                mask = parts == index + 1
                factor = finest[0] // shapes[level][0]
                masks.append(mask.repeat(factor, 0).repeat(factor, 1))
    return np.array(masks) if masks else np.ones((1,) + finest, bool)


def boxes_of(masks):
    """Boxes x0, y0, x1, y1 in shares of the image."""
    height, width = masks.shape[1:]
    across, down = masks.any(1), masks.any(2)
    return np.stack(
        [
            across.argmax(1) / width,
            down.argmax(1) / height,
            1 - across[:, ::-1].argmax(1) / width,
            1 - down[:, ::-1].argmax(1) / height,
        ],
        1,
    )


def box_areas(boxes):
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def box_iou(boxes):
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    areas = box_areas(boxes)
    return shared / (areas[:, None] + areas[None] - shared)


def pooled_similarity(masks, rows, shape):
    """Cosines of the regions' mean standardised vectors on the coarsest map."""
    height, width = shape
    factor = masks.shape[1] // height
    share = masks.reshape(len(masks), height, factor, width, factor).mean((2, 4)).reshape(len(masks), -1)
    vectors = unit((share @ rows) / share.sum(1, keepdims=True))
    return vectors @ vectors.T


def measures(masks, rows, shape):
    """What the filters (c), (d) and (e) look at, in falling order of area."""
    order = np.argsort(-masks.sum((1, 2)), kind="stable")
    masks = masks[order]
    flat = masks.reshape(len(masks), -1).astype(np.float32)
    areas, shared = flat.sum(1), flat @ flat.T
    boxes = boxes_of(masks)
    return dict(
        boxes=boxes,
        areas=areas / flat.shape[1],
        box_iou=box_iou(boxes),
        mask_iou=shared / (areas[:, None] + areas[None] - shared),
        inside=shared / areas[None],
        similarity=pooled_similarity(masks, rows, shape),
    )


def select(measured, options):
    """Filters (c), (d), (e): indices of the kept regions."""
    count = len(measured["areas"])
    keep = np.ones(count, bool)
    same = measured["box_iou"] > options["duplicate_iou"]
    nested = (measured["similarity"] > options["nested_similarity"]) & (measured["inside"] >= options["containment_share"])
    drops = same | nested
    for index in range(count):
        if keep[index]:
            keep[index + 1 :] &= ~drops[index, index + 1 :]
    kept = np.flatnonzero(keep)
    overlap = {
        "max": lambda: np.maximum(measured["box_iou"], measured["mask_iou"]),
        "box": lambda: measured["box_iou"],
        "mask": lambda: measured["mask_iou"],
        "mean": lambda: (measured["box_iou"] + measured["mask_iou"]) / 2,
    }[options["cap_overlap"]]()[np.ix_(kept, kept)].copy()
    # Regions are in falling order of area, so that the later one of a pair is the smaller one.
    overlap[np.tril_indices(len(kept))] = -1
    alive = np.ones(len(kept), bool)
    for _ in range(len(kept) - options["proposals_max"]):
        first, second = np.unravel_index(overlap.argmax(), overlap.shape)
        smallest = np.flatnonzero(alive)[-1]
        dropped = second if overlap[first, second] > options["cap_overlap_min"] else smallest
        alive[dropped] = False
        overlap[dropped] = overlap[:, dropped] = -1
    return kept[alive]


def propose(found, shapes, options):
    """Kept boxes in shares of the image, largest region first."""
    coarse = next(rows for level, _, rows in found if level == 0)
    measured = measures(regions(found, shapes, options), coarse, shapes[0])
    return measured["boxes"][select(measured, options)]
