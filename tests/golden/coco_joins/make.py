"""Makes pairs of COCO files as other programs write them, and what pycocotools says of each.

    python make.py            writes cases.json

Each case holds the places of its ground truth's and its detections' text among `texts`, and either an error that names what is
wrong, or the figures of pycocotools with all their digits. Where pycocotools takes the files, the
figures are those of the very files; where it joins wrongly or refuses, they are those of the files
as they were meant, which the case gives in pycocotools' own terms.
"""

import contextlib
import copy
import io
import json
import pathlib
import unicodedata
from importlib.metadata import version

import numpy
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

HERE = pathlib.Path(__file__).parent
IDS = [10, 20, 30, 40]
CATEGORIES = [1, 3, 7]
NAN = float("nan")


def base():
    """A ground truth and its results."""
    rng = numpy.random.default_rng(9)
    images = [{"id": index, "file_name": f"{index // 10}.jpg", "width": 320, "height": 240}
              for index in IDS]
    annotations, results = [], []
    for image in IDS:
        for _ in range(3):
            category = int(rng.choice(CATEGORIES))
            box = [round(float(value), 1) for value in [*(rng.random(2) * 200), *(8 + rng.random(2) * 100)]]
            annotations.append({
                "id": len(annotations) + 1, "image_id": image, "category_id": category, "bbox": box,
                "area": round(box[2] * box[3], 2), "iscrowd": int(rng.random() < 0.15),
            })
            for _ in range(2):
                shift = rng.normal(0, 0.08, 4)
                near = [box[0] + shift[0] * box[2], box[1] + shift[1] * box[3],
                        box[2] * (1 + shift[2]), box[3] * (1 + shift[3])]
                found = category if rng.random() < 0.8 else int(rng.choice(CATEGORIES))
                results.append({
                    "image_id": image, "category_id": found,
                    "bbox": [round(float(value), 2) for value in near],
                    "score": float(rng.integers(1, 9)) / 8,
                })
    categories = [{"id": index, "name": f"c{index}"} for index in CATEGORIES]
    return {"images": images, "categories": categories, "annotations": annotations}, results


def evaluate(ground_truth, results):
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = copy.deepcopy(ground_truth)
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(copy.deepcopy(results)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(figure) for figure in evaluation.stats]


def with_fields(entries, **changes):
    """Copies of `entries` in which each named field becomes what its function makes of it."""
    changed = []
    for entry in entries:
        entry = dict(entry)
        for field, change in changes.items():
            if field in entry:
                entry[field] = change(entry[field])
        changed.append(entry)
    return changed


def without(entries, field):
    return [{key: value for key, value in entry.items() if key != field} for entry in entries]


def data_set(ground_truth, results, image_id=lambda index: index, name=lambda name: name,
             category_id=lambda index: index):
    """The results as a data set of another program, with its own ids and spelling of names."""
    images = with_fields(ground_truth["images"], id=image_id, file_name=name)
    categories = with_fields(ground_truth["categories"], id=category_id)
    annotations = with_fields(results, image_id=image_id, category_id=category_id)
    return {"images": images[::-1], "categories": categories, "annotations": annotations}


def taken_as_they_are():
    """Cases of which pycocotools says itself what is right."""
    truth, results = base()

    def changed(kind, **changes):
        return dict(truth, **{kind: with_fields(truth[kind], **changes)})

    def both(image=lambda index: index, category=lambda index: index):
        return {
            "images": with_fields(truth["images"], id=image),
            "categories": with_fields(truth["categories"], id=category),
            "annotations": with_fields(truth["annotations"], image_id=image, category_id=category),
        }

    yield "plain", truth, results
    yield "float_ids_in_ground_truth", both(float, float), results
    yield "float_ids_in_detections", truth, with_fields(results, image_id=float, category_id=float)
    text = lambda index: f"img_{index}"
    yield "text_image_ids", both(text), with_fields(results, image_id=text)
    # Sorted as texts the images come in another order, on which ties depend.
    order = {10: "b", 20: "\u00e9", 30: "a", 40: "B"}.get
    yield "text_image_ids_in_another_order", both(order), with_fields(results, image_id=order)
    kind = {1: "zebra", 3: "ant", 7: "cow"}.get
    yield "text_category_ids", both(category=kind), with_fields(results, category_id=kind)
    low = {1: -2**63, 3: 0, 7: 2**63 - 1}.get
    yield "category_ids_at_both_ends", both(category=low), with_fields(results, category_id=low)
    yield "float_sides", changed("images", width=float, height=float), results
    yield "null_width", changed("images", width=lambda _: None), results
    yield "null_file_name", changed("images", file_name=lambda _: None), results
    yield "nan_file_name_and_width", changed("images", file_name=lambda _: NAN, width=lambda _: NAN), results
    yield "numeric_file_name", changed("images", file_name=lambda name: int(name[0])), results
    yield "null_category_name", changed("categories", name=lambda _: None), results
    yield "numeric_category_name", changed("categories", name=lambda name: int(name[1])), results
    yield "float_iscrowd", changed("annotations", iscrowd=float), results
    yield "boolean_iscrowd", changed("annotations", iscrowd=bool), results
    some = iter(range(len(results)))
    yield "nan_scores", truth, with_fields(results, score=lambda s: NAN if next(some) % 5 == 0 else s)
    some = iter(range(len(results)))
    infinite = [float("inf"), -float("inf"), NAN]
    yield "infinite_scores", truth, with_fields(
        results, score=lambda s: infinite[index % 3] if (index := next(some)) % 4 == 0 else s)
    yield "other_area_and_crowd_in_detections", truth, [
        dict(result, area=-1, iscrowd="no", id=index) for index, result in enumerate(results)]


def joined_as_meant():
    """Cases with the ground truth and results that they mean."""
    truth, results = base()
    other = lambda index: 1000 - index

    def spelled(spelling, names=("a/1.jpg", "b/1.jpg", "b/c/1.jpg", "2.jpg")):
        plain = dict(zip([image["file_name"] for image in truth["images"]], names))
        renamed = dict(truth, images=with_fields(truth["images"], file_name=plain.get))
        return dict(renamed, images=with_fields(renamed["images"], file_name=spelling)), \
            data_set(renamed, results, other)

    for name, spelling in [
        ("backslashes", lambda name: name.replace("/", "\\")),
        ("dot_slash", lambda name: "./" + name),
        ("dots_and_slashes_inside", lambda name: ".//" + name.replace("/", "//./")),
        ("absolute", lambda name: "/data/set/" + name),
        ("windows", lambda name: "C:\\data\\" + name.replace("/", "\\")),
        ("prefix", lambda name: "images/" + name),
    ]:
        yield "names_" + name, *spelled(spelling), truth, results
    accents = ("\u00e9/\u1e69.jpg", "e/s.jpg", "\ud55c/1.jpg", "\u212b/1.jpg")
    for form in ["NFD", "NFC"]:
        yield "names_" + form.lower(), *spelled(
            lambda name: unicodedata.normalize(form, name), accents), truth, results
    yield "images_renumbered", truth, data_set(truth, results, other), truth, results

    swapped = {1: 3, 3: 7, 7: 1}.get
    yield "categories_permuted", truth, data_set(truth, results, other, category_id=swapped), truth, results
    yield "categories_renumbered", truth, data_set(
        truth, results, category_id=CATEGORIES.index), truth, results
    nameless = dict(truth, categories=with_fields(truth["categories"], name=lambda _: None))
    yield "categories_without_names", nameless, data_set(truth, results, other), truth, results

    twice = dict(truth, images=with_fields(
        truth["images"], file_name=lambda name: name.replace("2", "1")))
    yield "same_name_on_two_ids", twice, data_set(twice, results), truth, results

    one = dict(truth, images=[dict(truth["images"][0], file_name=None), *truth["images"][1:]])
    yield "one_name_missing", one, data_set(truth, results), truth, results
    known = {
        "images": truth["images"][1:], "categories": truth["categories"],
        "annotations": [one for one in truth["annotations"] if one["image_id"] != 10],
    }
    rest = [result for result in results if result["image_id"] != 10]
    yield "one_name_missing_renumbered", one, data_set(truth, results, lambda index: 50 - index), known, rest

    bad = [
        {"bbox": [1, 2, NAN, 4]}, {"bbox": [1, 2, -3, 4]}, {"bbox": [float("inf"), 2, 3, 4]},
        {"bbox": [None, 2, 3, 4]}, {"bbox": [1, 2, 3, -1e-9]},
    ]
    bad_truth = [dict(truth["annotations"][0], id=90 + index, **change)
                 for index, change in enumerate(bad)]
    bad_results = [dict(results[0], **change) for change in bad]
    yield "boxes_that_are_none", dict(truth, annotations=bad_truth + truth["annotations"]), \
        bad_results + results, truth, results
    no_area = dict(truth, annotations=without(truth["annotations"], "area"))
    area = dict(truth, annotations=[
        dict(one, area=one["bbox"][2] * one["bbox"][3]) for one in truth["annotations"]])
    yield "missing_area", no_area, results, area, results
    no_crowd = dict(truth, annotations=without(truth["annotations"], "iscrowd"))
    crowd = dict(truth, annotations=with_fields(truth["annotations"], iscrowd=lambda _: 0))
    yield "missing_iscrowd", no_crowd, results, crowd, results

    strangers = [dict(results[0], image_id=99), dict(results[1], image_id=98)]
    yield "unknown_images", truth, strangers + results, truth, results
    yield "unknown_categories", truth, \
        results[:4] + with_fields(results[4:9], category_id=lambda index: index + 1000) + results[9:], \
        truth, results[:4] + results[9:]
    yield "no_category_known", truth, with_fields(
        results, category_id=lambda index: index + 1000), truth, with_fields(
            results, category_id=lambda index: index + 1000)


def refused():
    """Cases that are an error, with what its message holds."""
    truth, results = base()
    other = lambda index: 1000 - index
    names = lambda *names: dict(truth, images=[
        dict(image, file_name=name) for image, name in zip(truth["images"], names)])
    twice = names("1.jpg", "1.jpg", "3.jpg", "4.jpg")
    yield "same_name_on_other_ids", twice, data_set(twice, results, other), ["1.jpg", "10", "20", "990"]
    yield "same_name_on_one_side", twice, data_set(truth, results), ["1.jpg", "10", "20"]
    yield "ambiguous_tails", names("a/1.jpg", "b/1.jpg", "3.jpg", "4.jpg"), data_set(
        names("c/1.jpg", "d/1.jpg", "3.jpg", "4.jpg"), results), ["a/1.jpg", "d/1.jpg"]
    larger = data_set(truth, results, other)
    larger["images"][0].update(width=640, height=480)
    yield "other_size", truth, larger, ["4.jpg", "640x480", "320x240"]
    double = dict(truth, categories=truth["categories"] + [{"id": 9, "name": "c1"}])
    yield "category_name_twice", double, data_set(truth, results, other), ["c1", "9"]
    yield "no_image_known", truth, with_fields(results, image_id=lambda index: index + 1), ["11"]
    yield "text_and_number", truth, with_fields(results, image_id=str), ['"10"']
    broken = with_fields(results, image_id=lambda index: index + 0.5 if index == 20 else index)
    yield "id_with_a_fraction", truth, broken, ["6 entries", "annotation 6", "`image_id`", "20.5"]
    broken = dict(truth, annotations=[
        dict(one, bbox=one["bbox"][:3]) if one["id"] in (2, 5) else one for one in truth["annotations"]])
    yield "three_numbers", broken, results, ["annotation 1 (id 2)", "annotation 4 (id 5)", "`bbox`"]
    yield "null_score", truth, with_fields(results, score=lambda _: None), [
        "24 entries", "annotation 9", "`score` is null", "and 14 more"]


def main():
    texts, cases = [], []

    def place(document):
        text = json.dumps(document, separators=(",", ":"))
        if text not in texts:
            texts.append(text)
        return texts.index(text)

    def add(name, ground_truth, detections, **expected):
        cases.append({"name": name, "ground_truth": place(ground_truth),
                      "detections": place(detections), **expected})

    for name, truth, results in taken_as_they_are():
        add(name, truth, results, figures=evaluate(truth, results))
    for name, ground_truth, detections, truth, results in joined_as_meant():
        add(name, ground_truth, detections, figures=evaluate(truth, results))
    for name, ground_truth, detections, parts in refused():
        add(name, ground_truth, detections, error=parts)
    document = {"versions": {"pycocotools": version("pycocotools"), "numpy": numpy.__version__},
                "texts": texts, "cases": cases}
    (HERE / "cases.json").write_text(json.dumps(document, indent=0) + "\n")


if __name__ == "__main__":
    main()
