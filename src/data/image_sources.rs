//! The image files that a run read, so that a later call knows whether they are still the same.
//!
//! One line for each image: id, size, times, fingerprint of the content and path below the folder.
//! A file whose size and times are those of the table is taken for unchanged, which makes asking
//! cheap (a million files are a million calls of `stat`); any other is read, and it is its content
//! that decides. So a file that was only touched, and a folder that was moved or is spelled in
//! another way, are no change.
//!
//! A file that was written within [`SETTLED_AFTER`] of being read could be written again without a
//! change of its times, which file systems round: its times are not trusted later.

use super::fingerprint::{self, ContentHasher};
use crate::control::Control;
use crate::data::atomic_file;
use crate::error::Difference;
use crate::workers::Workers;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// First line of the file.
const HEADER: &str = "simdetr image sources 1";
/// Coarsest times of the file systems in use (FAT).
const SETTLED_AFTER: Duration = Duration::from_secs(2);
/// Files whose content is looked at between two reports of progress.
const WAVE_FILES: usize = 1024;

/// What `stat` says of a file; all 0 where that must not be trusted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Stamp {
    size_bytes: u64,
    /// Nanoseconds since 1970 of the last change of the content.
    modified: u64,
    /// The same of content, name or rights, where the system knows it, as no program can set it.
    changed: u64,
}

/// One image.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    image_id: u32,
    path: String,
    stamp: Stamp,
    /// Length and fingerprint; `None` for a file that cannot be read.
    content: Option<(u64, u128)>,
}

/// The images of one folder that a run reads, in the order of their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageSources {
    images: Vec<Source>,
}

impl ImageSources {
    /// Looks at `images`, id and path below `folder` of each, ascending. Content that `known` vouches
    /// for is not read again. Progress counts "check".
    ///
    /// # Errors
    /// [`Error::Cancelled`] and what the progress callback answers. A file that cannot be read is
    /// none: it is an image that cannot be read.
    pub fn take(
        folder: &Path,
        images: &[(u32, &str)],
        known: Option<&ImageSources>,
        workers: &Workers,
        control: &Control<'_>,
    ) -> Result<ImageSources> {
        let now = nanoseconds(Ok(SystemTime::now()));
        let known: BTreeMap<&str, &Source> = known
            .into_iter()
            .flat_map(|known| &known.images)
            .map(|source| (source.path.as_str(), source))
            .collect();
        let mut sources = Vec::with_capacity(images.len());
        for wave in images.chunks(WAVE_FILES) {
            control.report("check", sources.len() as u64, images.len() as u64)?;
            sources.extend(workers.try_map(wave.len(), |index| {
                control.check()?;
                let (image_id, path) = wave[index];
                Ok(look(folder, image_id, path, known.get(path).copied(), now))
            })?);
        }
        control.report("check", images.len() as u64, images.len() as u64)?;
        Ok(ImageSources { images: sources })
    }

    /// Reads a table; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] with the line that is damaged.
    pub fn read(path: &Path) -> Result<Option<ImageSources>> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(path, error)),
        };
        let mut lines = text.lines();
        if lines.next() != Some(HEADER) {
            return Err(Error::format(path, format!("does not begin with `{HEADER}`")));
        }
        let parsed = lines.enumerate().map(|(index, line)| {
            parse(line)
                .ok_or_else(|| Error::format(path, format!("line {}: no image source", index + 2)))
        });
        Ok(Some(ImageSources { images: parsed.collect::<Result<_>>()? }))
    }

    /// Writes the table.
    ///
    /// # Errors
    /// [`Error::Io`]; the old file is then untouched.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = format!("{HEADER}\n");
        for image in &self.images {
            let Stamp { size_bytes, modified, changed } = image.stamp;
            let content = described(image.content);
            // Writing into a string cannot fail.
            let _ = writeln!(
                text,
                "{}\t{size_bytes}\t{modified}\t{changed}\t{content}\t{}",
                image.image_id,
                escaped(&image.path)
            );
        }
        atomic_file::write(path, text.as_bytes())
    }

    /// What identifies ids, paths and contents; times have no part in it.
    pub fn fingerprint(&self) -> String {
        let mut hasher = ContentHasher::new();
        for image in &self.images {
            let (id, content) = (image.image_id, described(image.content));
            hasher.update(format!("{id}\t{content}\t{}\n", escaped(&image.path)).as_bytes());
        }
        format!("{} files, {:032x}", self.images.len(), hasher.finish())
    }

    /// Length and fingerprint of every file by path; `None` for one that cannot be read.
    pub fn contents(&self) -> BTreeMap<&str, Option<(u64, u128)>> {
        self.images.iter().map(|image| (image.path.as_str(), image.content)).collect()
    }

    /// The files in which this table, of the run that is there, and `wanted` differ, by path.
    pub fn differences(&self, wanted: &ImageSources) -> Vec<Difference> {
        let of = |sources: &ImageSources| -> BTreeMap<String, (u32, String)> {
            let entry = |source: &Source| {
                (source.path.clone(), (source.image_id, described(source.content)))
            };
            sources.images.iter().map(entry).collect()
        };
        let (found, wanted) = (of(self), of(wanted));
        let paths: std::collections::BTreeSet<&String> =
            found.keys().chain(wanted.keys()).collect();
        // Ids shift where a file comes or goes; that file is what there is to say.
        let same_files = found.keys().eq(wanted.keys());
        let difference = |path: &String| {
            let key = format!("image {path}");
            match (found.get(path), wanted.get(path)) {
                (Some((_, found)), Some((_, wanted))) if found != wanted => {
                    Some(Difference::new(key, found, wanted))
                }
                (Some((found, _)), Some((wanted, _))) if same_files && found != wanted => {
                    let text = |id: &u32| format!("number {id} of its folder");
                    Some(Difference::new(key, &text(found), &text(wanted)))
                }
                (Some(_), Some(_)) | (None, None) => None,
                (found, wanted) => {
                    let text = |side: Option<&(u32, String)>| {
                        side.map_or_else(|| "absent".into(), |(_, content)| content.clone())
                    };
                    Some(Difference::new(key, &text(found), &text(wanted)))
                }
            }
        };
        paths.into_iter().filter_map(difference).collect()
    }
}

fn look(folder: &Path, image_id: u32, path: &str, known: Option<&Source>, now: u64) -> Source {
    let file = folder.join(path);
    let stamp = stamp(&file);
    let trusted = known.filter(|known| stamp != Stamp::default() && known.stamp == stamp);
    let content = match trusted {
        Some(known) => known.content,
        None => fingerprint::of_file(&file).ok(),
    };
    let settled = stamp.modified.max(stamp.changed) + SETTLED_AFTER.as_nanos() as u64 <= now;
    let stamp = if settled || trusted.is_some() { stamp } else { Stamp::default() };
    Source { image_id, path: path.into(), stamp, content }
}

fn stamp(file: &Path) -> Stamp {
    let Ok(metadata) = std::fs::metadata(file) else { return Stamp::default() };
    Stamp {
        size_bytes: metadata.len(),
        modified: nanoseconds(metadata.modified()),
        changed: changed(&metadata),
    }
}

#[cfg(unix)]
fn changed(metadata: &std::fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let seconds = u64::try_from(metadata.ctime()).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add_signed(metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn changed(_: &std::fs::Metadata) -> u64 {
    0
}

fn nanoseconds(time: std::io::Result<SystemTime>) -> u64 {
    let since = time.ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX / 2))
}

fn described(content: Option<(u64, u128)>) -> String {
    content.map_or_else(|| "unreadable".into(), |(length, print)| fingerprint::text(length, print))
}

fn parse(line: &str) -> Option<Source> {
    let mut parts = line.split('\t');
    let image_id = parts.next()?.parse().ok()?;
    let mut number = || parts.next()?.parse::<u64>().ok();
    let stamp = Stamp { size_bytes: number()?, modified: number()?, changed: number()? };
    let content = match parts.next()? {
        "unreadable" => None,
        content => {
            let (length, print) = content.split_once(':')?;
            Some((length.parse().ok()?, u128::from_str_radix(print, 16).ok()?))
        }
    };
    let path = unescaped(parts.next()?)?;
    parts.next().is_none().then_some(Source { image_id, path, stamp, content })
}

/// A path on one line and in one column.
fn escaped(path: &str) -> String {
    path.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t")
}

fn unescaped(text: &str) -> Option<String> {
    let mut path = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        path.push(match character {
            '\\' => match characters.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '\\' => '\\',
                _ => return None,
            },
            other => other,
        });
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File, FileTimes};

    const NAMES: [&str; 3] = ["a.png", "b\t\\n.png", "gone.png"];

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in &NAMES[..2] {
            write(&folder, name, b"first", 1_000);
        }
        folder
    }

    /// A file that was last written so many seconds after 1970.
    fn write(folder: &tempfile::TempDir, name: &str, bytes: &[u8], seconds: u64) {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let time = UNIX_EPOCH + Duration::from_secs(seconds);
        let file = File::options().write(true).open(path).unwrap();
        file.set_times(FileTimes::new().set_modified(time)).unwrap();
    }

    fn take(folder: &tempfile::TempDir, known: Option<&ImageSources>) -> ImageSources {
        let images: Vec<(u32, &str)> = (1..).zip(NAMES).collect();
        let (workers, control) = (Workers::caller(), Control::default());
        ImageSources::take(folder.path(), &images, known, &workers, &control).unwrap()
    }

    #[test]
    fn a_table_survives_the_disk_and_a_damaged_one_is_named() {
        let folder = folder();
        let (sources, path) = (take(&folder, None), folder.path().join("sources.tsv"));
        assert_eq!(ImageSources::read(&path).unwrap(), None);
        sources.write(&path).unwrap();
        assert_eq!(ImageSources::read(&path).unwrap(), Some(sources));
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace(":", ";")).unwrap();
        let error = ImageSources::read(&path).unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
        fs::write(&path, "").unwrap();
        assert!(matches!(ImageSources::read(&path), Err(Error::Format { .. })));
    }

    #[test]
    fn content_decides_and_a_touched_file_is_none_that_changed() {
        let folder = folder();
        let before = take(&folder, None);
        write(&folder, NAMES[0], b"first", 2_000);
        let touched = take(&folder, Some(&before));
        assert_eq!(touched.fingerprint(), before.fingerprint());
        assert_eq!(before.differences(&touched), []);
        // As long as before and with the same time of its content.
        write(&folder, NAMES[0], b"other", 2_000);
        write(&folder, NAMES[2], b"new", 2_000);
        let changed = take(&folder, Some(&touched));
        assert_ne!(changed.fingerprint(), before.fingerprint());
        let keys: Vec<String> =
            before.differences(&changed).into_iter().map(|difference| difference.key).collect();
        assert_eq!(keys, ["image a.png", "image gone.png"]);
    }

    #[test]
    fn files_that_come_and_go_are_named_and_shifted_numbers_are_not_forgotten() {
        let folder = folder();
        let (workers, control) = (Workers::caller(), Control::default());
        let of = |images: &[(u32, &str)]| {
            ImageSources::take(folder.path(), images, None, &workers, &control).unwrap()
        };
        let before = of(&[(1, NAMES[0]), (2, NAMES[1])]);
        let differences = before.differences(&of(&[(1, NAMES[1])]));
        assert_eq!(differences.len(), 1);
        assert!(differences[0].key == "image a.png" && differences[0].wanted == "absent");
        let shifted = of(&[(1, NAMES[0]), (3, NAMES[1])]);
        assert_ne!(shifted.fingerprint(), before.fingerprint());
        assert!(before.differences(&shifted)[0].to_string().contains("number 3 of its folder"));
    }

    #[test]
    fn what_is_known_is_not_read_again_once_it_has_settled() {
        let folder = folder();
        let mut known = take(&folder, None);
        assert_eq!(known.images[0].stamp, Stamp::default(), "a file of this moment was trusted");
        let wrong = Some((5, 7));
        known.images[0].content = wrong;
        assert_ne!(take(&folder, Some(&known)).images[0].content, wrong);
        known.images[0].stamp = stamp(&folder.path().join(NAMES[0]));
        assert_eq!(take(&folder, Some(&known)).images[0].content, wrong);
    }
}
