//! The learning rate over the steps of a stage: a factor on every group's own rate.

use super::config::{Schedule, TrainingConfig};

/// The factor at `step` (from 0) of `steps_count`: a linear warm-up over `warmup_steps`, then what
/// the schedule says.
pub fn factor(config: &TrainingConfig, step: usize, steps_count: usize) -> f64 {
    if step < config.warmup_steps {
        return (step + 1) as f64 / (config.warmup_steps + 1) as f64;
    }
    let share = step as f64 / steps_count.max(1) as f64;
    match config.schedule {
        Schedule::Constant => 1.0,
        Schedule::Step if share < config.drop_at => 1.0,
        Schedule::Step => config.drop_factor,
        Schedule::Cosine => {
            let warm = config.warmup_steps.min(steps_count);
            let share = (step - warm) as f64 / (steps_count - warm).max(1) as f64;
            0.5 * (1.0 + (std::f64::consts::PI * share).cos())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_warm_up_then_drop_or_fall() {
        let config = TrainingConfig {
            schedule: Schedule::Step,
            warmup_steps: 3,
            drop_at: 0.8,
            drop_factor: 0.1,
            ..TrainingConfig::default()
        };
        let at = |step| factor(&config, step, 100);
        assert_eq!((at(0), at(2), at(3), at(79), at(80)), (0.25, 0.75, 1.0, 1.0, 0.1));
        let cosine = TrainingConfig { schedule: Schedule::Cosine, warmup_steps: 0, ..config };
        assert_eq!(factor(&cosine, 0, 100), 1.0);
        assert!((factor(&cosine, 50, 100) - 0.5).abs() < 1e-12);
        assert!(factor(&cosine, 99, 100) < 1e-3);
    }
}
