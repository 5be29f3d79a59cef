//! The configuration that a command reads: its preset, under the document, under its options.

use super::arguments::{Arguments, Command, Common};
use super::printing;
use simdetr::pipeline::config::RunConfig;
use simdetr::pipeline::machine::Machine;
use simdetr::pipeline::{demo, preset, preset_choice};
use simdetr::{Error, Result};
use std::path::Path;

/// What a command reads.
pub struct Document {
    pub config: RunConfig,
    /// The preset, where the command chose one itself.
    pub chosen: Option<&'static str>,
}

/// Reads the configuration of a command; a preset that it chooses is said in one line.
///
/// # Errors
/// [`Error::Io`] and what is wrong with the document; [`Error::InvalidArgument`] for a preset that
/// there is not.
pub fn document(arguments: &Arguments) -> Result<Document> {
    let Common { config: file, seed, .. } = &arguments.common;
    let text = match file {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
            Some((text, path.display().to_string()))
        }
        None => None,
    };
    let over = |base: RunConfig| match &text {
        Some((text, name)) => simdetr::config::parse_over(&base, text, name),
        None => Ok(base),
    };
    let chosen = match &arguments.command {
        Command::Pretrain { preset: None, out, .. } => {
            Some(choose(out, |name| over(preset::by_name(name)?))?)
        }
        Command::Finetune { preset: None, out, .. } => {
            Some(choose(out, |name| over(preset::for_finetuning(name)?))?)
        }
        _ => None,
    };
    let mut config = over(match &arguments.command {
        Command::Pretrain { preset, .. } => named(preset, chosen.as_ref(), preset::by_name)?,
        Command::Finetune { preset, .. } => named(preset, chosen.as_ref(), preset::for_finetuning)?,
        Command::Config { preset: Some(name) } => preset::by_name(name)?,
        Command::Demo { .. } => demo::config()?,
        _ => RunConfig::default(),
    })?;
    config.seed = seed.unwrap_or(config.seed);
    if let (Some(Choice { sentence, .. }), false, false) =
        (&chosen, arguments.common.json, arguments.common.quiet)
    {
        printing::line(&format!("simdetr: {sentence}"));
    }
    Ok(Document { config, chosen: chosen.map(|choice| choice.name) })
}

struct Choice {
    name: &'static str,
    /// Why it is that one.
    sentence: String,
}

fn named(
    given: &Option<String>,
    chosen: Option<&Choice>,
    preset: fn(&str) -> Result<RunConfig>,
) -> Result<RunConfig> {
    preset(given.as_deref().or(chosen.map(|choice| choice.name)).unwrap_or(preset::NAMES[0]))
}

/// The preset of a run that is there already, so that it goes on wherever it is and whatever else
/// runs there; otherwise the largest one that suits this machine.
fn choose(run: &Path, config_of: impl Fn(&str) -> Result<RunConfig>) -> Result<Choice> {
    if let Some(recorded) = recorded_detector(run) {
        for name in preset::NAMES {
            let config = config_of(name)?;
            if simdetr::config::to_table(&config.detector, name)? == recorded {
                let sentence = format!("preset {name}, as the run in {} began", run.display());
                return Ok(Choice { name, sentence });
            }
        }
    }
    let machine = Machine::here();
    let name = preset_choice::suitable(&machine, &config_of)?;
    let names = preset::NAMES.join(", ");
    let sentence = format!("preset {name}, which suits {machine}; --preset names one of {names}");
    Ok(Choice { name, sentence })
}

/// The table `detector` of the configuration that a run folder records.
fn recorded_detector(run: &Path) -> Option<toml::Table> {
    ["run.toml", "finetune.toml"].iter().find_map(|file| {
        let text = std::fs::read_to_string(run.join(file)).ok()?;
        let record: toml::Table = toml::from_str(&text).ok()?;
        record.get("config")?.get("detector")?.as_table().cloned()
    })
}
