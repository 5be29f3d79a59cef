//! Which preset a machine can carry.

use super::config::RunConfig;
use super::machine::Machine;
use super::preset::NAMES;
use super::step_memory::StepMemory;
use crate::{Error, Result, byte_count};

/// Processors below which nobody waits for a preset, in the order of [`NAMES`].
const PROCESSORS_MIN: [usize; 3] = [64, 8, 1];

/// The largest preset that runs on `machine`: its processors are enough, and a training step of
/// `config_of` the preset, which is what a run would read, fits into its memory.
///
/// # Errors
/// Those of `config_of` and [`StepMemory::of`]; [`Error::InvalidArgument`] naming every preset when
/// not even the smallest one fits.
pub fn suitable(
    machine: &Machine,
    config_of: impl Fn(&str) -> Result<RunConfig>,
) -> Result<&'static str> {
    let mut needed_bytes = 0;
    for (name, processors_min) in NAMES.iter().zip(PROCESSORS_MIN) {
        if machine.processors >= processors_min {
            let step = StepMemory::of(&config_of(name)?, machine.processors)?;
            needed_bytes = step.total_bytes();
            if machine.memory_bytes.is_none_or(|bytes| needed_bytes <= bytes) {
                return Ok(name);
            }
        }
    }
    let needed = byte_count::text(needed_bytes);
    let names = NAMES.join(", ");
    let reason =
        format!("a step of the smallest takes {needed}, there are {machine}; name one of {names}");
    Err(Error::invalid("preset", reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::preset::by_name;

    #[test]
    fn the_largest_preset_that_a_machine_carries_is_chosen() {
        let chosen =
            |processors, memory_bytes| suitable(&Machine { processors, memory_bytes }, by_name);
        const GB: u64 = 1_000_000_000;
        assert_eq!(chosen(2, Some(16 * GB)).unwrap(), "tiny");
        assert_eq!(chosen(16, None).unwrap(), "small");
        assert_eq!(chosen(16, Some(64 * GB)).unwrap(), "small");
        assert_eq!(chosen(128, Some(64 * GB)).unwrap(), "small");
        assert_eq!(chosen(128, Some(10_000 * GB)).unwrap(), "deformable-detr-r50");
        let error = chosen(1, Some(1_000_000)).unwrap_err().to_string();
        assert!(error.contains("1 processor and 1.0 MB") && error.contains("tiny"), "{error}");
    }
}
