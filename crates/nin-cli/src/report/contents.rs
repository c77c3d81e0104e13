//! The contents of a report: the page's sections, its figures as files, its pictures for TensorBoard.

use nin_train::RunHistory;

use super::inspection::Inspection;
use super::network::Network;
use super::{calibration, evaluation, mistakes, network, page, run, seeds, verdict};
use crate::comparison::Comparison;
use crate::drawing::Figure;
use crate::tensorboard;

/// The parts of a report.
pub struct Report<'a> {
    /// The run folder's log and recipe.
    pub history: &'a RunHistory,
    /// The network, or the reason that no checkpoint could be read.
    pub network: Result<Network<'a>, String>,
    /// The network's answers over the test images, or the reason that there are none.
    pub inspection: Result<&'a Inspection, String>,
    /// The runs with other seeds in the same folder, if any.
    pub seeds: Option<Comparison>,
}

impl Report<'_> {
    /// Returns the whole page.
    pub fn html(&self) -> anyhow::Result<String> {
        let mut sections = vec![run::curves(self.history)];
        sections.extend(run::sentinel(self.history));
        sections.extend(self.seeds.as_ref().map(|seeds| seeds::section(self.history, seeds)));
        match &self.inspection {
            Ok(inspection) => sections.extend([
                evaluation::per_class(inspection),
                evaluation::confusion(inspection),
                calibration::section(inspection),
                mistakes::section(inspection)?,
            ]),
            Err(reason) => sections.push(page::missing("answers", "Test results", reason)),
        }
        match &self.network {
            Ok(network) => {
                sections.extend([network::layers(network), network::filters(network)?]);
            }
            Err(reason) => sections.push(page::missing("network", "Network", reason)),
        }
        sections.extend([run::recipe(self.history), run::environment(self.history)]);
        let verdict = verdict::verdict(self.history, self.inspection.as_ref().ok().copied());
        Ok(page::page(&self.history.name(), &verdict, &sections))
    }

    /// Returns every figure of the page as a file.
    pub fn figures(&self) -> anyhow::Result<Vec<Figure>> {
        let mut figures = Vec::new();
        if let Some(charts) = run::Charts::of(self.history) {
            figures.extend([charts.loss.figure("loss"), charts.accuracy.figure("accuracy")]);
        }
        if let Ok(inspection) = &self.inspection {
            figures.extend([
                evaluation::figure(inspection),
                calibration::figure(inspection),
                mistakes::sheet(inspection)?,
            ]);
        }
        if let Ok(network) = &self.network
            && let Some(filters) = network::Filters::of(network)?
        {
            figures.push(filters.figure());
        }
        Ok(figures)
    }

    /// Returns the page's pictures for TensorBoard.
    pub fn pictures(&self) -> anyhow::Result<Vec<tensorboard::Picture>> {
        let mut pictures = Vec::new();
        if let Ok(network) = &self.network
            && let Some(filters) = network::Filters::of(network)?
        {
            let (png, size) = (filters.png, filters.size);
            pictures.push(tensorboard::Picture {
                tag: "filters".to_owned(),
                png,
                size,
                channels: 2,
            });
        }
        if let Ok(inspection) = &self.inspection {
            pictures.extend(mistakes::named_pictures(inspection)?);
        }
        Ok(pictures)
    }
}
