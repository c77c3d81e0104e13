//! SGD with momentum, `AdamW`, Muon and learning-rate schedules over any Burn backend, as PyTorch defines them.
//!
//! [`OptimizerRecipe`] and [`ScheduleRecipe`] are sections of a recipe. [`GradientDescent`] takes the steps and [`Schedule`]
//! returns their rates. nin-train and the training in a web page share this code. It opens no files.

mod gradient_descent;
mod optimizer_recipe;
mod orthogonal;
mod schedule;
mod schedule_recipe;

pub use gradient_descent::{GradientDescent, ParameterState};
pub use optimizer_recipe::{OptimizerKind, OptimizerRecipe};
pub use schedule::Schedule;
pub use schedule_recipe::{ScheduleKind, ScheduleRecipe};
