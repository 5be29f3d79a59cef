//! Each command twice, with each of its inputs changed in between: refused by name, or done again;
//! no change goes unnoticed, and what is no change is none.

#[path = "reruns/ownership.rs"]
mod ownership;
#[path = "reruns/place.rs"]
mod place;
mod support;

use place::*;
use std::fs;
use std::sync::OnceLock;

#[test]
fn extraction() {
    let base = Place::new();
    fs::write(base.path("imgs/broken.jpg"), b"\xff\xd8\xff\xe0 no more").unwrap();
    let said = base.answer(&words(EXTRACT));
    assert_eq!(said["nothing_to_do"], false);
    let record = fs::read_to_string(base.path("run/run.toml")).unwrap();
    assert!(record.contains("device = \"cpu\""), "{record}");
    assert!(!base.path("run/run.lock").exists());
    let again = base.answer(&words(EXTRACT));
    assert_eq!(again["broken"], said["broken"]);
    assert_eq!(again["broken"][0]["path"], "broken.jpg");
    let absolute = base.path("imgs");
    let spelled = changed(&words(EXTRACT), &[("--images", absolute.to_str().unwrap())]);
    assert_eq!(base.answer(&spelled)["nothing_to_do"], true);
    check(
        &base,
        EXTRACT,
        &[
            case("nothing", nothing, &[], NothingToDo),
            case("a slash", nothing, &[("--images", "imgs/")], NothingToDo),
            case("a dot", nothing, &[("--images", "./imgs/.")], NothingToDo),
            case("another folder", move_folder, &[("--images", "moved")], NothingToDo),
            case("a touched file", touch, &[], NothingToDo),
            case("keys without effect", neutral, &[], NothingToDo),
            case("another image", repaint, &[], Refused(&["image scene-1.png"])),
            case("a forged time", forge, &[], Refused(&["image scene-1.png"])),
            case(
                "a new name",
                rename,
                &[],
                Refused(&["image scene-1.png", "absent here", "image scene-9.png", "absent there"]),
            ),
            case("one image less", remove, &[], Refused(&["image scene-1.png", "absent here"])),
            case("one image more", add, &[], Refused(&["image scene-7.png", "absent there"])),
            case(
                "a repaired image",
                |place| place.paint("broken.jpg", [9, 9, 9]),
                &[],
                Refused(&["image broken.jpg"]),
            ),
            case("strict", nothing, &[("--strict", "")], Refused(&["broken.jpg"])),
            case(
                "another seed",
                nothing,
                &[("--seed", "2")],
                Refused(&["`config.seed` is 1 there, 2 here"]),
            ),
            case(
                "another method",
                nothing,
                &[("--method", "selective-search")],
                Refused(&["`config.method`", "selective-search"]),
            ),
            case(
                "two other keys",
                |place| {
                    place.configure("proposals_max = 6", "proposals_max = 5");
                    place.configure("image_short_side = 64", "image_short_side = 96");
                },
                &[],
                Refused(&[
                    "`config.proposals.proposals_max` is 6 there, 5 here",
                    "`config.resize.image_short_side` is 64 there, 96 here",
                ]),
            ),
            case(
                "begun anew",
                |place| {
                    add(place);
                    fs::write(place.path("run/notes.txt"), "mine").unwrap();
                },
                &[("--restart", ""), ("--seed", "2")],
                Again("run/run.toml"),
            ),
            case("begun anew from nothing", move_folder, &[("--restart", "")], Refused(&["imgs"])),
        ],
    );
}

#[test]
fn clusters_and_data_sets() {
    let base = Place::new();
    base.answer(&words(EXTRACT));
    assert_eq!(base.answer(&words(CLUSTER))["nothing_to_do"], false);
    base.answer(&words(EXPORT));
    check(
        &base,
        CLUSTER,
        &[
            case("nothing", nothing, &[], NothingToDo),
            case("the run's own seed", nothing, &[("--seed", "1")], NothingToDo),
            case("another seed", nothing, &[("--seed", "2")], Refused(&["`config.seed` is 1"])),
            case("more classes", nothing, &[("--classes", "4")], Again("run/clusters.safetensors")),
            case("too many", nothing, &[("--classes", "999")], Refused(&["999", "vectors"])),
            case(
                "another key",
                |place| place.configure("classes = 3", "classes = 3\nrounds = 0"),
                &[],
                Again("run/clusters.safetensors"),
            ),
        ],
    );
    let fewer = |place: &Place| {
        place.answer(&changed(&words(CLUSTER), &[("--classes", "2")]));
    };
    check(&base, EXPORT, &[case("other clusters", fewer, &[], Again("set.json"))]);
}

/// A place with a finished run of one stage and weights to start from.
fn pretrained() -> &'static Place {
    static PLACE: OnceLock<Place> = OnceLock::new();
    PLACE.get_or_init(|| {
        let place = Place::new();
        assert_eq!(place.answer(&words(PRETRAIN))["nothing_to_do"], false);
        fs::copy(place.path("run/detector.safetensors"), place.path("start.safetensors")).unwrap();
        let backbone =
            "export --detector start.safetensors --format backbone --out init.safetensors";
        place.answer(&words(backbone));
        fs::copy(place.path("truth.json"), place.path("test.json")).unwrap();
        place
    })
}

#[test]
fn pretraining() {
    let base = pretrained();
    let initial = |place: &Place| {
        let keys = "backbone_init = './init.safetensors'\nstages_count = 1";
        place.configure("stages_count = 1", keys);
    };
    check(
        base,
        PRETRAIN,
        &[
            case("nothing", nothing, &[], NothingToDo),
            case("spelled", nothing, &[("--images", "./imgs/")], NothingToDo),
            case("another folder", move_folder, &[("--images", "moved")], NothingToDo),
            case("a touched file", touch, &[], NothingToDo),
            case("keys without effect", neutral, &[], NothingToDo),
            case("another image", repaint, &[], Refused(&["image scene-1.png"])),
            case("a new name", rename, &[], Refused(&["image scene-9.png"])),
            case("one image more", add, &[], Refused(&["image scene-7.png"])),
            case("another seed", nothing, &[("--seed", "3")], Refused(&["`config.seed` is 0"])),
            case(
                "other classes",
                |place| place.configure("classes = 3", "classes = 4"),
                &[],
                Refused(&["`config.cluster.classes` is 3 there, 4 here"]),
            ),
            case(
                "a key of training and one of relabelling",
                |place| {
                    let relabel =
                        "[relabel]\nsuppression_iou = 0.4\n[training]\nlearning_rate = 0.5";
                    place.configure("[training]", relabel);
                },
                &[],
                Refused(&["`config.training.learning_rate`", "`config.relabel.suppression_iou`"]),
            ),
            case("initial weights", initial, &[], Refused(&["`inputs.start`"])),
            case(
                "labels of the clusters",
                |place| place.replace("run/T0.json", "\"score\":", "\"score\": "),
                &[],
                Refused(&["`inputs.labels`"]),
            ),
            case(
                "true boxes",
                |place| place.replace("truth.json", "\"bbox\":[16,20,64,60]", "\"bbox\":[1,1,9,9]"),
                &[],
                Done,
            ),
            case(
                "damaged true boxes",
                |place| fs::write(place.path("truth.json"), "{").unwrap(),
                &[],
                Refused(&["truth.json"]),
            ),
            case(
                "clusters of another command",
                |place| {
                    let refused = changed(&words(CLUSTER), &[("--classes", "4")]);
                    let message = place.refusal(&refused);
                    assert!(message.contains("`config.cluster.classes` is 3 there, 4 here"));
                },
                &[],
                NothingToDo,
            ),
            case(
                "begun anew from the clusters",
                |place| {
                    let again = [("--classes", "4"), ("--restart", "")];
                    place.answer(&changed(&words(CLUSTER), &again));
                    assert!(!place.path("run/T1.json").exists());
                    place.configure("classes = 3", "classes = 4");
                },
                &[],
                Again("run/T0.json"),
            ),
        ],
    );
    restarted(base);
    before_the_first_checkpoint(base);
    longer(base);
}

/// The folder that a model was saved into is the file of weights in it, for every step of a run and in
/// what the run is known by.
#[test]
fn an_encoder_in_a_folder() {
    let place = pretrained().copy();
    fs::create_dir(place.path("model")).unwrap();
    fs::copy(place.path("init.safetensors"), place.path("model/model.safetensors")).unwrap();
    place.configure("\n[resize]", "\n[encoder]\nencoder = 'model'\n[resize]");
    let pretrain = changed(&words(PRETRAIN), &[("--out", "other")]);
    assert_eq!(place.answer(&pretrain)["nothing_to_do"], false);
    place.configure("'model'", "'model/model.safetensors'");
    assert_eq!(place.answer(&pretrain)["nothing_to_do"], true);
    fs::copy(place.path("start.safetensors"), place.path("model/other.safetensors")).unwrap();
    fs::remove_file(place.path("model/model.safetensors")).unwrap();
    place.configure("'model/model.safetensors'", "'model'");
    let message = place.refusal(&pretrain);
    assert!(message.contains("`inputs."), "{message}");
}

/// What a run wrote goes, and nothing else.
fn restarted(base: &Place) {
    let place = base.copy();
    fs::write(place.path("run/notes.txt"), "mine").unwrap();
    let old = place.bytes("run/detector.safetensors");
    let anew = changed(&words(PRETRAIN), &[("--seed", "5"), ("--restart", "")]);
    assert_eq!(place.answer(&anew)["nothing_to_do"], false);
    assert!(place.bytes("run/detector.safetensors") != old);
    assert_eq!(place.bytes("run/notes.txt"), b"mine");
}

/// A run that was stopped before its first checkpoint clusters and trains with what is now asked
/// for, and ends with the bytes of one that never knew anything else.
fn before_the_first_checkpoint(base: &Place) {
    let (stopped, fresh) = (base.copy(), base.copy());
    fs::remove_dir_all(stopped.path("run/checkpoints")).unwrap();
    for name in ["T1.json", "detector.safetensors", "detector-stage1.safetensors"] {
        fs::remove_file(stopped.path("run").join(name)).unwrap();
    }
    fs::remove_dir_all(fresh.path("run")).unwrap();
    for place in [&stopped, &fresh] {
        place.configure("classes = 3", "classes = 4");
        assert_eq!(place.answer(&words(PRETRAIN))["nothing_to_do"], false);
    }
    for name in ["T0.json", "T1.json", "detector.safetensors", "stage1.toml", "metrics.jsonl"] {
        let name = format!("run/{name}");
        assert!(stopped.bytes(&name) == fresh.bytes(&name), "{name} differs");
    }
}

/// More stages go on with the same run.
fn longer(base: &Place) {
    let place = base.copy();
    let said = place.answer(&changed(&words(PRETRAIN), &[("--stages", "2")]));
    assert_eq!(said["nothing_to_do"], false);
    assert_eq!(said["labels"].as_array().unwrap().len(), 3);
}

#[test]
fn checks_come_before_the_work() {
    let place = pretrained().copy();
    place.configure("classes = 3", "classes = 31");
    let message = place.refusal(&changed(&words(PRETRAIN), &[("--out", "many")]));
    assert!(message.contains("cluster.classes: 31 asked for"), "{message}");
    assert!(message.contains("5 images") && message.contains("30 proposals"), "{message}");
    assert!(!place.path("many").exists());
    // One image that cannot be read, so that the folder gives less than it could.
    fs::write(place.path("imgs/scene-3.png"), b"\x89PNG of nothing").unwrap();
    place.configure("classes = 31", "classes = 30");
    let message = place.refusal(&changed(&words(PRETRAIN), &[("--out", "many")]));
    assert!(message.contains("`classes`: 30 asked for"), "{message}");
    assert!(!place.path("many/clusters.safetensors").exists());
    let message = place.refusal(&changed(&words(FINETUNE), &[("--out", "early")]));
    assert!(message.contains("scene-3.png"), "{message}");
    assert!(!place.path("early").exists());
    let scene = "imgs/scene-3.png";
    fs::copy(pretrained().path(scene), place.path(scene)).unwrap();
    for (option, value) in [
        ("--test-annotations", "none.json"),
        ("--annotations", "none.json"),
        ("--init", "none.safetensors"),
    ] {
        let message =
            place.refusal(&changed(&words(FINETUNE), &[("--out", "early"), (option, value)]));
        assert!(message.contains(value), "{message}");
        assert!(!place.path("early").exists());
    }
}

/// A place with a fine-tuned detector beside the pretrained one.
fn finetuned() -> &'static Place {
    static PLACE: OnceLock<Place> = OnceLock::new();
    PLACE.get_or_init(|| {
        let place = pretrained().copy();
        assert_eq!(place.answer(&words(FINETUNE))["nothing_to_do"], false);
        place.answer(&words(PREDICT));
        place
    })
}

#[test]
fn finetuning() {
    let base = finetuned();
    let correct = |place: &Place| {
        place.replace("truth.json", "\"bbox\":[16,20,64,60]", "\"bbox\":[16,20,60,60]");
    };
    check(
        base,
        FINETUNE,
        &[
            case("nothing", nothing, &[], NothingToDo),
            case(
                "spelled",
                nothing,
                &[
                    ("--images", "imgs/"),
                    ("--annotations", "./truth.json"),
                    ("--init", "./start.safetensors"),
                ],
                NothingToDo,
            ),
            case("another folder", move_folder, &[("--images", "moved")], NothingToDo),
            case("a touched file", touch, &[], NothingToDo),
            case("keys without effect", neutral, &[], NothingToDo),
            case("a corrected label", correct, &[], Refused(&["`inputs.annotations`"])),
            case("another image", repaint, &[], Refused(&["image scene-1.png"])),
            case(
                "another fraction",
                nothing,
                &[("--fraction", "0.6")],
                Refused(&["`fraction` is 1.0 there, 0.6 here"]),
            ),
            case(
                "another share",
                nothing,
                &[("--fraction", "0.6"), ("--split-seed", "8")],
                Refused(&["`split_seed`"]),
            ),
            case(
                "another start",
                nothing,
                &[("--init", "random")],
                Refused(&["`inputs.init`", "random"]),
            ),
            case(
                "other weights of the same name",
                |place| {
                    let from = place.path("tuned/detector.safetensors");
                    fs::copy(from, place.path("start.safetensors")).unwrap();
                },
                &[],
                Refused(&["`inputs.init`"]),
            ),
            case(
                "another seed",
                nothing,
                &[("--seed", "3")],
                Refused(&["`config.seed` is 0 there, 3 here"]),
            ),
            case(
                "another key",
                |place| place.configure("steps = 2", "steps = 3"),
                &[],
                Refused(&["`config.training.steps` is 2 there, 3 here"]),
            ),
            case(
                "the folder of a pretraining",
                nothing,
                &[("--out", "run")],
                Refused(&["`command` is pretrain there, finetune here"]),
            ),
        ],
    );
    let place = base.copy();
    correct(&place);
    let old = place.bytes("tuned/detector.safetensors");
    let anew = changed(&words(FINETUNE), &[("--restart", "")]);
    assert_eq!(place.answer(&anew)["nothing_to_do"], false);
    assert!(place.bytes("tuned/detector.safetensors") != old);
    let message = place.refusal(&changed(&words(PRETRAIN), &[("--out", "tuned")]));
    assert!(message.contains("`command` is finetune there, pretrain here"), "{message}");

    // What only measures is measured again, and the training is left alone.
    let place = base.copy();
    let before = place.answer(&words(FINETUNE));
    place.hit("test.json", "tuned/predictions.json");
    let after = place.answer(&words(FINETUNE));
    assert_eq!(after["nothing_to_do"], true);
    assert_ne!(after["evaluation"], before["evaluation"]);
}

#[test]
fn predictions_figures_and_reports() {
    let base = finetuned();
    let other = |place: &Place| {
        fs::copy(place.path("start.safetensors"), place.path("tuned/detector.safetensors"))
            .unwrap();
    };
    check(
        base,
        PREDICT,
        &[
            case("another detector", other, &[], Again("boxes.json")),
            case("another image", repaint, &[], Again("boxes.json")),
            case("a new name", rename, &[], Again("boxes.json")),
            case("one image less", remove, &[], Again("boxes.json")),
            case("fewer boxes", nothing, &[("--detections-max", "2")], Again("boxes.json")),
            case("no image", move_folder, &[], Refused(&["imgs"])),
        ],
    );
    let figures = |place: &Place| place.answer(&words(EVALUATE));
    let before = figures(base);
    let place = base.copy();
    place.hit("truth.json", "boxes.json");
    assert_ne!(figures(&place), before);
    let place = base.copy();
    place.answer(&changed(&words(PREDICT), &[("--detections-max", "1")]));
    assert_ne!(figures(&place), before);

    let report = words("report --run run --ground-truth truth.json");
    // On a copy: other tests copy `base` meanwhile, and a report's temporary file would vanish.
    let place = base.copy();
    place.answer(&report);
    let page = place.bytes("run/report.html");
    place.hit("truth.json", "run/T0.json");
    place.answer(&report);
    assert!(place.bytes("run/report.html") != page, "other true boxes gave the same report");
}
