//! The learning rate as a function of the step.

use burn::optim::LearningRate;
use burn::optim::lr_scheduler::LrScheduler;
use burn::tensor::backend::Backend;

use crate::{ScheduleKind, ScheduleRecipe};

/// The learning-rate schedule of a training. The rate is a pure function of the number of steps taken, which is all
/// that a checkpoint needs.
#[derive(Debug, Clone)]
pub struct Schedule {
    recipe: ScheduleRecipe,
    base_rate: f64,
    steps_per_epoch: usize,
    total_steps: usize,
    steps_taken: usize,
}

impl Schedule {
    /// Creates the schedule of a training of `epochs` epochs. It multiplies `base_rate`.
    pub fn new(
        recipe: &ScheduleRecipe,
        base_rate: f64,
        epochs: usize,
        steps_per_epoch: usize,
    ) -> Self {
        Self {
            recipe: recipe.clone(),
            base_rate,
            steps_per_epoch: steps_per_epoch.max(1),
            total_steps: steps_per_epoch.saturating_mul(epochs),
            steps_taken: 0,
        }
    }

    /// Returns the learning rate of a step, counted from 0 over the whole training.
    pub fn rate(&self, step: usize) -> f64 {
        let Self { recipe, base_rate, steps_per_epoch, total_steps, .. } = self;
        if step < recipe.warmup_steps {
            return base_rate * (step + 1) as f64 / recipe.warmup_steps as f64;
        }
        let factor = match recipe.kind {
            ScheduleKind::Constant => 1.0,
            ScheduleKind::Step { epochs, factor } => {
                let drops = step / steps_per_epoch / epochs.max(1);
                factor.powi(i32::try_from(drops).unwrap_or(i32::MAX))
            }
            ScheduleKind::Cosine { final_factor } => {
                let length = total_steps.saturating_sub(recipe.warmup_steps).max(1);
                let done = ((step - recipe.warmup_steps) as f64 / length as f64).min(1.0);
                let height = f64::midpoint(1.0, (std::f64::consts::PI * done).cos());
                final_factor + (1.0 - final_factor) * height
            }
        };
        base_rate * factor
    }
}

impl LrScheduler for Schedule {
    type Record<B: Backend> = usize;

    fn step(&mut self) -> LearningRate {
        let rate = self.rate(self.steps_taken);
        self.steps_taken += 1;
        rate
    }

    fn to_record<B: Backend>(&self) -> usize {
        self.steps_taken
    }

    fn load_record<B: Backend>(mut self, steps_taken: usize) -> Self {
        self.steps_taken = steps_taken;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(kind: ScheduleKind, warmup_steps: usize) -> Schedule {
        Schedule::new(&ScheduleRecipe { kind, warmup_steps }, 0.1, 4, 10)
    }

    #[test]
    fn constant_stays() {
        let schedule = schedule(ScheduleKind::Constant, 0);
        assert_eq!([0, 20, 39].map(|step| schedule.rate(step)), [0.1; 3]);
    }

    #[test]
    fn warm_up_climbs_to_the_full_rate() {
        let schedule = schedule(ScheduleKind::Constant, 5);
        let rates: Vec<_> = (0..6).map(|step| (schedule.rate(step) * 1000.0).round()).collect();
        assert_eq!(rates, [20.0, 40.0, 60.0, 80.0, 100.0, 100.0]);
    }

    #[test]
    fn step_drops_at_epochs() {
        let schedule = schedule(ScheduleKind::Step { epochs: 2, factor: 0.1 }, 0);
        assert!((schedule.rate(19) - 0.1).abs() < 1e-12);
        assert!((schedule.rate(20) - 0.01).abs() < 1e-12);
    }

    #[test]
    fn cosine_ends_at_its_final_factor_and_does_not_restart() {
        let schedule = schedule(ScheduleKind::Cosine { final_factor: 0.1 }, 0);
        assert!((schedule.rate(0) - 0.1).abs() < 1e-12);
        assert!((schedule.rate(20) - 0.055).abs() < 1e-12);
        assert!((schedule.rate(40) - 0.01).abs() < 1e-12);
        assert!((schedule.rate(400) - 0.01).abs() < 1e-12);
    }

    #[test]
    fn the_record_is_the_number_of_steps() {
        type Flex = burn_flex::Flex;
        let mut first = schedule(ScheduleKind::COSINE, 0);
        for _ in 0..7 {
            first.step();
        }
        let record = first.to_record::<Flex>();
        let mut second = schedule(ScheduleKind::COSINE, 0).load_record::<Flex>(record);
        assert_eq!(first.step().to_bits(), second.step().to_bits());
    }
}
