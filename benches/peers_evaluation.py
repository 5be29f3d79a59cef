"""COCO evaluation beside its peers, from JSON files and from arrays: seconds, ratio, memory, equality.

    cargo build --release
    python benches/peers_evaluation.py [--library target/release/libsimdetr.so] [--rounds 5]

700,000 boxes of 80 classes on 5,000 images, drawn so that scores, sizes, overlaps and the number
of objects are like those of a detector on COCO val2017. Ours runs through the C ABI with ctypes;
every peer reads the same files and arrays in the same process, in turns, with the same number of
threads. pycocotools runs once: its figures must be equal to ours in every bit.
"""

import argparse
import contextlib
import ctypes
import io
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

THREADS = 2
os.environ["RAYON_NUM_THREADS"] = str(THREADS)

import numpy  # noqa: E402

IMAGES, CLASSES, DETECTIONS = 5000, 80, 140
SIDES = numpy.array([640.0, 480.0])


def draw(folder):
    """Writes `ground_truth.json`, `detections.json` and the same boxes as `arrays.npz`."""
    random = numpy.random.default_rng(7)
    popularity = numpy.arange(1, CLASSES + 1) ** -0.8
    popularity /= popularity.sum()
    image_ids = numpy.sort(random.choice(600_000, IMAGES, replace=False) + 1)
    category_ids = numpy.sort(random.choice(numpy.arange(1, 91), CLASSES, replace=False))
    objects, found = [], []
    for image_id in image_ids:
        count = random.poisson(7.3)
        classes = random.choice(CLASSES, count, p=popularity)
        scale = numpy.exp(random.normal(4.2, 1.0, (count, 1)))
        sizes = (scale * numpy.exp(random.normal(0, 0.4, (count, 2)))).clip(4, SIDES)
        corners = random.random((count, 2)) * (SIDES - sizes)
        for box, label in zip(numpy.hstack([corners, corners + sizes]), classes):
            objects.append((image_id, category_ids[label], *box, random.uniform(0.5, 1.0),
                            random.random() < 0.01))
        near = numpy.repeat(numpy.arange(count), 6)[:DETECTIONS]
        shift = random.normal(0, 0.12, (len(near), 4))
        moved = corners[near] + shift[:, :2] * sizes[near]
        boxes = numpy.hstack([moved, moved + sizes[near] * numpy.exp(shift[:, 2:])])
        labels = numpy.where(random.random(len(near)) < 0.7, classes[near],
                             random.choice(CLASSES, len(near), p=popularity))
        scores = random.beta(2, 3, len(near)) + 0.2 - numpy.abs(shift).mean(1)
        stray = DETECTIONS - len(near)
        sides = numpy.exp(random.normal(4.2, 1.0, (stray, 2))).clip(4, 480)
        start = random.random((stray, 2)) * (SIDES - sides)
        boxes = numpy.vstack([boxes, numpy.hstack([start, start + sides])])
        labels = numpy.append(labels, random.choice(CLASSES, stray, p=popularity))
        scores = numpy.append(scores.clip(1e-4, 1), random.beta(1, 12, stray))
        for index in numpy.argsort(-scores):
            found.append((image_id, category_ids[labels[index]], *boxes[index], scores[index]))
    objects, found = numpy.array(objects), numpy.array(found)
    arrays = {
        "object_images": objects[:, 0].astype(numpy.int64),
        "object_classes": objects[:, 1].astype(numpy.int64),
        "object_boxes": objects[:, 2:6].astype(numpy.float32),
        "object_crowds": objects[:, 7].astype(numpy.uint8),
        "images": found[:, 0].astype(numpy.int64),
        "classes": found[:, 1].astype(numpy.int64),
        "boxes": found[:, 2:6].astype(numpy.float32),
        "scores": found[:, 6].astype(numpy.float32),
    }
    sizes = xywh(arrays["object_boxes"])
    arrays["object_areas"] = sizes[:, 2] * sizes[:, 3] * objects[:, 6]
    numpy.savez(folder / "arrays.npz", **arrays)
    annotations = [
        {"id": index + 1, "image_id": image, "category_id": label, "bbox": box, "area": area,
         "iscrowd": crowd}
        for index, (image, label, box, area, crowd) in enumerate(zip(
            *(arrays[name].tolist() for name in ("object_images", "object_classes")),
            sizes.tolist(), arrays["object_areas"].tolist(), arrays["object_crowds"].tolist()))
    ]
    images = [{"id": int(i), "file_name": f"{i:012d}.jpg", "width": 640, "height": 480} for i in image_ids]
    categories = [{"id": int(i), "name": f"class {i}"} for i in category_ids]
    (folder / "ground_truth.json").write_text(json.dumps(
        {"images": images, "categories": categories, "annotations": annotations}))
    (folder / "detections.json").write_text(json.dumps([
        {"image_id": image, "category_id": label, "bbox": box, "score": score}
        for image, label, box, score in zip(
            arrays["images"].tolist(), arrays["classes"].tolist(),
            xywh(arrays["boxes"]).tolist(), arrays["scores"].tolist())
    ]))


def xywh(boxes):
    boxes = boxes.astype(numpy.float64)
    return numpy.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])


class Options(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("set_mask", ctypes.c_uint64),
                ("class_agnostic", ctypes.c_int32), ("threads", ctypes.c_uint32),
                ("detections_max", ctypes.c_void_p), ("detections_max_count", ctypes.c_size_t),
                ("parallel_for", ctypes.c_void_p), ("parallel_for_user_data", ctypes.c_void_p)]


class Figures(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("precision", ctypes.c_double * 6),
                ("recall", ctypes.c_double * 8), ("recall_by_size", ctypes.c_double * 3),
                ("counts", ctypes.c_uint64 * 4)]


class Ours:
    """libsimdetr through its C ABI."""

    def __init__(self, library):
        self.library = ctypes.CDLL(os.path.abspath(library))
        options = Options(struct_size=ctypes.sizeof(Options), threads=THREADS)
        self.evaluator = ctypes.c_void_p()
        self.check(self.library.simdetr_evaluator_create(
            ctypes.byref(options), ctypes.byref(self.evaluator), None))

    @staticmethod
    def check(status):
        assert status == 0, f"status {status}"

    def answer(self, call, *arguments):
        figures = Figures(struct_size=ctypes.sizeof(Figures))
        self.check(call(self.evaluator, *arguments, None, ctypes.byref(figures), None))
        return [*figures.precision, *figures.recall[:3], *figures.recall_by_size]

    def files(self, folder):
        return self.answer(self.library.simdetr_evaluator_evaluate_files,
                           os.fsencode(folder / "ground_truth.json"),
                           os.fsencode(folder / "detections.json"))

    def arrays(self, _, arrays):
        def pointers(*names):
            return [ctypes.c_void_p(arrays[name].ctypes.data) for name in names]

        return self.answer(
            self.library.simdetr_evaluator_evaluate_f32,
            *pointers("object_images", "object_classes", "object_boxes", "object_areas",
                      "object_crowds"), ctypes.c_size_t(len(arrays["object_images"])),
            *pointers("images", "classes", "boxes", "scores"), ctypes.c_size_t(len(arrays["images"])))


class Peer:
    """A package with the interface of pycocotools."""

    def __init__(self, package):
        if package == "pycocotools":
            from pycocotools.coco import COCO
            from pycocotools.cocoeval import COCOeval
        else:
            from ultrafast_pycocotools import COCO, COCOeval
        self.coco, self.evaluation = COCO, COCOeval

    def evaluate(self, ground_truth, results):
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation = self.evaluation(ground_truth, ground_truth.loadRes(results), "bbox")
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        return list(map(float, evaluation.stats))

    def load(self, folder):
        with contextlib.redirect_stdout(io.StringIO()):
            return self.coco(str(folder / "ground_truth.json"))

    def files(self, folder):
        return self.evaluate(self.load(folder), str(folder / "detections.json"))

    def arrays(self, ground_truth, arrays):
        """Its form of arrays: [image, x, y, width, height, score, class] in f64."""
        return self.evaluate(ground_truth, arrays["rows"])


def arrays_of(folder):
    arrays = dict(numpy.load(folder / "arrays.npz"))
    columns = [arrays[name].astype(numpy.float64)[:, None] for name in ("images", "scores", "classes")]
    arrays["rows"] = numpy.hstack([columns[0], xywh(arrays["boxes"]), *columns[1:]])
    return arrays


def timed(run):
    start = time.perf_counter()
    figures = run()
    return time.perf_counter() - start, figures


def memory_mib(name, source, folder, library):
    """Peak memory that one evaluation adds, in a process of its own."""
    command = [sys.executable, __file__, "--memory", name, source, str(folder), "--library", library]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure_memory(name, source, folder, library):
    engine = Ours(library) if name == "simdetr" else Peer(name)
    inputs = (folder,)
    if source == "arrays":
        ground_truth = None if name == "simdetr" else engine.load(folder)
        inputs = (ground_truth, arrays_of(folder))
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    status = pathlib.Path("/proc/self/status")
    field = lambda key: int(status.read_text().split(key)[1].split()[0])  # noqa: E731
    before = field("VmRSS:")
    getattr(engine, source)(*inputs)
    print((field("VmHWM:") - before) / 1024)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", default="target/release/libsimdetr.so")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", help="keep the files here")
    parser.add_argument("--memory", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory:
        name, source, folder = arguments.memory
        return measure_memory(name, source, pathlib.Path(folder), arguments.library)
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(arguments.folder or temporary)
        folder.mkdir(exist_ok=True)
        if not (folder / "arrays.npz").exists():
            draw(folder)
        compare(folder, arguments)


def compare(folder, arguments):
    arrays = arrays_of(folder)
    engines = {"simdetr": Ours(arguments.library), "ultrafast_pycocotools": Peer("ultrafast_pycocotools")}
    truth = engines["ultrafast_pycocotools"].load(folder)
    reference_s, reference = timed(lambda: Peer("pycocotools").files(folder))
    print(f"pycocotools from files: {reference_s:.2f} s")
    for source, inputs in (("files", (folder,)), ("arrays", (truth, arrays))):
        seconds = {name: [] for name in engines}
        equal = {}
        for round in range(arguments.rounds + 1):
            for name, engine in engines.items():
                elapsed, figures = timed(lambda: getattr(engine, source)(*inputs))
                equal[name] = figures == reference
                if round > 0:
                    seconds[name].append(elapsed)
        ratios = [peer / ours for ours, peer in zip(*seconds.values())]
        for name in engines:
            times = seconds[name]
            memory = memory_mib(name, source, folder, arguments.library)
            print(f"{source:7} {name:22} min {min(times):.3f} s  median {statistics.median(times):.3f} s"
                  f"  +{memory:.0f} MiB  bits of pycocotools: {equal[name]}")
        print(f"{source:7} times as fast: median {statistics.median(ratios):.2f}, of minima"
              f" {min(seconds['ultrafast_pycocotools']) / min(seconds['simdetr']):.2f}")


if __name__ == "__main__":
    main()
