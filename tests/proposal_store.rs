//! The proposal store: round trip, resume with the same bytes, merge, damage, another reader
//! (pyarrow) and a disk that is full.

use simdetr::Error;
use simdetr::control::Control;
use simdetr::data::proposal_set::{MaskGrid, ProposalSet};
use simdetr::data::store::{
    ImageRecord, ImageStatus, StoreConfig, StoreReader, StoreSettings, StoreWriter, Vectors, merge,
};
use simdetr::data::vectors::VectorSource;
use simdetr::random::{Purpose, Random, StreamKey};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const DIMENSIONS: usize = 24;
const SHARD_IMAGES: u32 = 4;
const IMAGES: u32 = 10;

fn settings(feature_dtype: &str, fingerprint: &str) -> StoreSettings {
    let config = StoreConfig { feature_dtype: feature_dtype.into(), shard_images: SHARD_IMAGES };
    config.settings(DIMENSIONS, fingerprint.into()).unwrap()
}

/// Image 3 is broken and image 5 has no proposals; the others have 1 to 3.
fn image(image_id: u32) -> (ImageRecord, ProposalSet) {
    let broken = image_id == 3;
    let record = ImageRecord {
        image_id,
        path: format!("folder/{image_id}.jpg"),
        width: 640 + image_id,
        height: 480,
        status: if broken { ImageStatus::Broken } else { ImageStatus::Ok },
        message: if broken { "cut in half".into() } else { String::new() },
    };
    let mut set = ProposalSet::default();
    set.clear(DIMENSIONS);
    let count = if broken || image_id == 5 { 0 } else { 1 + image_id % 3 };
    let key = StreamKey::new(1, Purpose::Demo).for_image(image_id);
    let mut random = Random::new(key);
    for proposal in 0..count {
        let values: Vec<f64> = (0..DIMENSIONS).map(|_| random.normal()).collect();
        let norm = values.iter().map(|value| value * value).sum::<f64>().sqrt();
        set.vectors.extend(values.iter().map(|value| (value / norm) as f32));
        set.norms.push(norm as f32);
        set.boxes.push([1.0, 2.0, 11.0 + image_id as f32, 7.0]);
        set.region_shares.push(0.25);
        set.levels.push(proposal as i32 % 2);
        set.cluster_counts.push(8);
        set.scores.push(0.5 + proposal as f32);
        set.mask_grids.push(MaskGrid { height: 2, width: 3 });
        set.mask_runs.extend([1, 2 + proposal % 2, 3 - proposal % 2]);
        set.mask_offsets.push(set.mask_runs.len() as u32);
    }
    (record, set)
}

fn fill(folder: &Path, settings: StoreSettings, images: std::ops::RangeInclusive<u32>) {
    let mut writer = StoreWriter::open(folder, settings, *images.start()).unwrap();
    for image_id in writer.next_image_id()..=*images.end() {
        let (record, set) = image(image_id);
        writer.append(record, &set).unwrap();
    }
    writer.finish().unwrap();
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for path in [folder.to_path_buf(), folder.join("images")] {
        for entry in std::fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.strip_prefix(folder).unwrap().to_path_buf();
                found.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn what_was_appended_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), settings("f32", "a"), 1..=IMAGES);
    let reader = StoreReader::open(folder.path()).unwrap();
    assert_eq!((reader.shards_count(), reader.image_ids()), (3, 1..11));
    let mut row = 0;
    for (stored, image_id) in reader.images(Vectors::Read).zip(1..) {
        let (stored, (record, set)) = (stored.unwrap(), image(image_id));
        assert_eq!((&stored.record, &stored.proposals, stored.first_row), (&record, &set, row));
        row += set.count() as u64;
    }
    assert_eq!(row, reader.rows_count());
    let mut rows = vec![0.0; reader.rows_count() as usize * DIMENSIONS];
    reader.read(0, &mut rows).unwrap();
    let expected: Vec<f32> = (1..=IMAGES).flat_map(|image_id| image(image_id).1.vectors).collect();
    assert_eq!(rows, expected);
    let error = reader.read(row - 1, &mut rows[..2 * DIMENSIONS]).unwrap_err();
    assert!(matches!(error, Error::Shape { .. }), "{error}");
    let without = reader.read_shard(1, Vectors::Skip).unwrap();
    assert!(without.iter().all(|image| image.proposals.vectors.is_empty()));
}

#[test]
fn halves_are_the_nearest_and_any_piece_of_rows_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), settings("f16", "a"), 1..=IMAGES);
    let reader = StoreReader::open(folder.path()).unwrap();
    let all: Vec<f32> = (1..=IMAGES)
        .flat_map(|image_id| image(image_id).1.vectors)
        .map(|value| half::f16::from_f32(value).to_f32())
        .collect();
    let count = reader.rows_count() as usize;
    for first in 0..count {
        for last in first..=count {
            let mut rows = vec![0.0; (last - first) * DIMENSIONS];
            reader.read(first as u64, &mut rows).unwrap();
            assert_eq!(rows, all[first * DIMENSIONS..last * DIMENSIONS]);
        }
    }
}

#[test]
fn a_killed_run_goes_on_and_ends_with_the_same_bytes() {
    let (whole, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fill(whole.path(), settings("f16", "a"), 1..=IMAGES);
    for images in [3, 5, 7] {
        let mut writer = StoreWriter::open(killed.path(), settings("f16", "a"), 1).unwrap();
        for image_id in (writer.next_image_id()..=IMAGES).take(images) {
            let (record, set) = image(image_id);
            writer.append(record, &set).unwrap();
        }
    }
    std::fs::write(killed.path().join(".000003.arrow.4194305-0.partial"), b"half").unwrap();
    std::fs::write(killed.path().join("images/000003.arrow"), b"half").unwrap();
    fill(killed.path(), settings("f16", "a"), 1..=IMAGES);
    assert_eq!(files(killed.path()), files(whole.path()));
    let mut writer = StoreWriter::open(killed.path(), settings("f16", "a"), 1).unwrap();
    let (record, set) = image(IMAGES + 1);
    let error = writer.append(record, &set).unwrap_err();
    assert!(error.to_string().contains("finished with image 10"), "{error}");
}

#[test]
fn another_store_in_the_folder_is_refused_with_both_values() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), settings("f16", "a"), 1..=IMAGES);
    for (other, key) in
        [(settings("f32", "a"), "feature_dtype"), (settings("f16", "b"), "fingerprint")]
    {
        let error = StoreWriter::open(folder.path(), other, 1).unwrap_err();
        assert!(
            matches!(&error, Error::RunMismatch { differences, .. } if differences[0].key == key),
            "{error}"
        );
    }
    let error = StoreWriter::open(folder.path(), settings("f16", "a"), 5).unwrap_err();
    assert!(
        matches!(&error, Error::RunMismatch { differences, .. } if differences[0].key == "first_image_id"),
        "{error}"
    );
    let error = StoreWriter::open(folder.path(), settings("f16", "a"), 2).unwrap_err();
    assert!(error.to_string().contains("does not begin a shard"), "{error}");
}

#[test]
fn a_refused_image_leaves_the_writer_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = StoreWriter::open(folder.path(), settings("f16", "a"), 1).unwrap();
    let (record, mut set) = image(1);
    let error = writer.append(ImageRecord { image_id: 2, ..record.clone() }, &set).unwrap_err();
    assert!(error.to_string().contains("2, expected 1"), "{error}");
    let broken = ImageRecord { status: ImageStatus::Broken, ..record.clone() };
    assert!(writer.append(broken, &set).is_err());
    set.vectors[3] = f32::INFINITY;
    assert!(matches!(writer.append(record, &set), Err(Error::NonFinite { index: 3, .. })));
    assert_eq!((writer.next_image_id(), writer.proposals_count()), (1, 0));
}

#[test]
fn merging_disjoint_parts_gives_the_bytes_of_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fill(&path("whole"), settings("f16", "a"), 1..=IMAGES);
    fill(&path("front"), settings("f16", "a"), 1..=4);
    fill(&path("middle"), settings("f16", "a"), 5..=8);
    fill(&path("back"), settings("f16", "a"), 9..=IMAGES);
    let control = Control::default();
    let parts = [path("back"), path("front"), path("middle")];
    assert_eq!(merge(&parts, &path("merged"), control).unwrap().image_ids(), 1..11);
    assert_eq!(files(&path("merged")), files(&path("whole")));

    let error = merge(&[path("front"), path("whole")], &path("other"), control).unwrap_err();
    assert!(error.to_string().contains("both hold images 1..5"), "{error}");
    let error = merge(&[path("front"), path("back")], &path("other"), control).unwrap_err();
    assert!(error.to_string().contains("miss the images between 5..9"), "{error}");
    assert!(merge(&parts, &path("merged"), control).is_err());
    assert!(merge(&[], &path("other"), control).is_err());
    fill(&path("foreign"), settings("f16", "b"), 5..=8);
    let error = merge(&[path("front"), path("foreign")], &path("other"), control).unwrap_err();
    assert!(matches!(error, Error::RunMismatch { .. }), "{error}");
    assert!(!path("other").exists());
}

#[test]
fn every_truncation_of_a_shard_is_a_format_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), settings("f16", "a"), 1..=4);
    for name in ["000001.arrow", "images/000001.arrow"] {
        let path = folder.path().join(name);
        let bytes = std::fs::read(&path).unwrap();
        for length in (0..bytes.len()).step_by(7).chain([bytes.len() - 1]) {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let error = StoreReader::open(folder.path()).unwrap_err();
            assert!(matches!(&error, Error::Format { .. }), "{length} bytes: {error}");
            assert!(error.to_string().contains(name), "{error}");
        }
        std::fs::write(&path, &bytes).unwrap();
    }
    StoreReader::open(folder.path()).unwrap();
}

#[test]
fn foreign_versions_missing_shards_and_empty_folders_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = StoreReader::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("holds no shard"), "{error}");
    fill(folder.path(), settings("f16", "a"), 1..=IMAGES);
    let second = folder.path().join("000002.arrow");
    let bytes = std::fs::read(&second).unwrap();
    std::fs::remove_file(&second).unwrap();
    let error = StoreReader::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("000002.arrow: missing"), "{error}");
    // The version stands in the footer as the text "1" after its key.
    let key = b"simdetr.store_version";
    let mut foreign = bytes.clone();
    for at in 0..bytes.len() - key.len() {
        if bytes[at..].starts_with(key) {
            // Values are written after keys or before, depending on the writer: both neighbours.
            let near = &mut foreign[at.saturating_sub(12)..at + key.len() + 12];
            near.iter_mut().filter(|byte| **byte == b'1').for_each(|byte| *byte = b'9');
        }
    }
    std::fs::write(&second, foreign).unwrap();
    let error = StoreReader::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("store version 9; this library reads 1"), "{error}");
}

const PYARROW: &str = r#"
import sys, pyarrow as pa
def table(path):
    return pa.ipc.open_file(pa.memory_map(path)).read_all()
shard, images = table(sys.argv[1] + "/000001.arrow"), table(sys.argv[1] + "/images/000001.arrow")
assert shard.schema.metadata[b"simdetr.store_version"] == b"1", shard.schema.metadata
assert shard.column_names == ["image_id", "box", "area", "region_share", "level", "clusters_count",
    "score", "mask_height", "mask_width", "mask_runs", "norm", "vector"], shard.column_names
assert str(shard.schema.field("vector").type) == "fixed_size_list<item: halffloat not null>[24]"
assert shard["image_id"].to_pylist() == [1, 1, 2, 2, 2, 4, 4], shard["image_id"]
assert shard["box"].to_pylist()[0] == [1.0, 2.0, 12.0, 7.0]
assert shard["area"].to_pylist()[0] == 55.0
assert shard["mask_runs"].to_pylist()[:2] == [[1, 2, 3], [1, 3, 2]]
assert abs(sum(float(v) ** 2 for v in shard["vector"].to_pylist()[0]) - 1) < 2e-3
address = shard["vector"].chunk(0).values.buffers()[1].address
assert address % 64 == 0, address
assert images["status"].to_pylist() == ["ok", "ok", "broken", "ok"]
assert images["path"].to_pylist()[2] == "folder/3.jpg"
assert images["message"].to_pylist()[2] == "cut in half"
assert images["proposals_count"].to_pylist() == [2, 3, 0, 2]
"#;

#[test]
fn pyarrow_reads_shards_and_image_tables() {
    let python = std::env::var_os("SIMDETR_PYTHON").unwrap_or("python3".into());
    let found = Command::new(&python).args(["-c", "import pyarrow"]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        let why = "no Python package pyarrow";
        assert!(std::env::var("SIMDETR_REQUIRE_ALL").as_deref() != Ok("1"), "{why}");
        println!("skipped: {why}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), settings("f16", "a"), 1..=4);
    let output = Command::new(python).args(["-c", PYARROW]).arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs in a process of its own, under a file-size limit, when `SIMDETR_TEST_FULL_DISK` names a
/// folder; see the next test.
#[test]
fn full_disk_child() {
    let Some(folder) = std::env::var_os("SIMDETR_TEST_FULL_DISK") else { return };
    let mut writer = StoreWriter::open(Path::new(&folder), settings("f32", "a"), 1).unwrap();
    // Masks of 40 kB make the shard larger than its image table.
    let large = |image_id| {
        let (record, mut set) = image(image_id);
        let cells = 10_000;
        set.mask_grids = vec![MaskGrid { height: 100, width: 100 }; set.count()];
        set.mask_runs = vec![1; cells * set.count()];
        set.mask_offsets = (0..=set.count()).map(|index| (index * cells) as u32).collect();
        (record, set)
    };
    let error = (1..=4).find_map(|image_id| {
        let (record, set) = large(image_id);
        writer.append(record, &set).err()
    });
    let error = error.expect("the limit was not reached");
    assert!(matches!(error, Error::Io { .. }), "{error}");
    assert_eq!(writer.next_image_id(), 1);
}

/// A file-size limit is a full disk that a test can have. The signal that comes with it is the
/// host's business: the library installs no handler, so the child's shell ignores it.
#[cfg(unix)]
#[test]
fn a_full_disk_is_an_error_and_leaves_nothing_half_written() {
    // In blocks of 512 or 1024 bytes: too few for the image table; enough for it, not the shard.
    for (limit, left) in [(1, 0), (16, 1)] {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        let script =
            format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\" --exact full_disk_child");
        let output = Command::new("sh")
            .args(["-c", &script])
            .arg(std::env::current_exe().unwrap())
            .env("SIMDETR_TEST_FULL_DISK", &store)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let names: Vec<_> = files(&store).into_keys().collect();
        assert_eq!(names, vec![PathBuf::from("images/000001.arrow"); left]);
        fill(&store, settings("f32", "a"), 1..=IMAGES);
        assert_eq!(StoreReader::open(&store).unwrap().image_ids(), 1..11);
    }
}
