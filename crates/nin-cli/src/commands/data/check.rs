//! `data check`: describes a data set and its problems.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use nin_data::{
    BadPicture, DataSet, Inventory, Listing, Locations, OnBadPicture, Part, PictureOptions, Problem,
};
use nin_train::recipe::{BuiltinRecipe, RecipeBuilder};
use serde_json::{Value, json};

use crate::arguments::{CheckArguments, ProgressChoice};
use crate::backend::default_threads;
use crate::dataset::{name_of_data, picture_options};
use crate::output::{Format, print_json, print_text};
use crate::progress::PreparationProgress;
use crate::quote::quoted;
use crate::terminal::printable_text;

pub fn run(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let folder = arguments.folder.as_path();
    let description = if DataSet::is_of_pictures(folder) {
        of_pictures(arguments)?
    } else {
        let name = name_of_data(nin_data::FASHION_MNIST_SAMPLE, Some(folder));
        let data = DataSet::open(&name, Some(folder), &Locations::default())?;
        Description::of_images(folder, &data)
    };
    match arguments.format {
        Format::Json => print_json(&description.as_json())?,
        Format::Text => print_text(&description.as_text())?,
    }
    Ok(if description.stops.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn of_pictures(arguments: &CheckArguments) -> anyhow::Result<Description> {
    let mut builder = RecipeBuilder::named(BuiltinRecipe::pictures().name)?;
    for assignment in &arguments.set {
        builder.assign(assignment)?;
    }
    let recipe = builder.build()?;
    let progress = PreparationProgress::new(ProgressChoice::Auto);
    let options = PictureOptions {
        on_bad_picture: OnBadPicture::Skip,
        threads: arguments.threads.map_or_else(default_threads, usize::from),
        progress: &|done| progress.show(done),
        ..picture_options(&recipe)
    };
    let folder = arguments.folder.as_path();
    let name = name_of_data(nin_data::FASHION_MNIST_SAMPLE, Some(folder));
    let inventory = Inventory::read(Listing::read(folder)?, &options)?;
    let data = DataSet::of_inventory(&name, &inventory, &options)?;
    progress.finish();
    let skips = recipe.data.on_bad_picture == OnBadPicture::Skip;
    let description = Description::of_pictures(folder, &data, &inventory, &options, skips);
    Ok(Description { set: arguments.set.clone(), ..description })
}

/// The description of a data set.
struct Description {
    folder: String,
    layout: String,
    /// Each class with its image counts by part.
    classes: Vec<(String, [usize; 3])>,
    is_split_by_content: bool,
    channels: usize,
    formats: BTreeMap<&'static str, usize>,
    /// The smallest and the largest `[height, width]`.
    sizes: Option<[[usize; 2]; 2]>,
    skipped: Vec<String>,
    bad: Vec<BadPicture>,
    problems: Vec<Problem>,
    gaps: Vec<String>,
    /// The reason that a training would stop.
    stops: Vec<String>,
    /// The overridden keys.
    set: Vec<String>,
}

impl Description {
    fn of_images(folder: &Path, data: &DataSet) -> Self {
        let size = data.train.image_size();
        Self {
            folder: folder.display().to_string(),
            layout: "MNIST or CIFAR files".to_owned(),
            classes: counts(data),
            is_split_by_content: false,
            channels: data.train.channels(),
            formats: BTreeMap::new(),
            sizes: size.map(|size| [size, size]),
            skipped: Vec::new(),
            bad: Vec::new(),
            problems: Vec::new(),
            gaps: data.gaps(),
            stops: data
                .check_trainable()
                .err()
                .map(|error| error.to_string())
                .into_iter()
                .collect(),
            set: Vec::new(),
        }
    }

    fn of_pictures(
        folder: &Path,
        data: &DataSet,
        inventory: &Inventory,
        options: &PictureOptions<'_>,
        skips_bad: bool,
    ) -> Self {
        let bad = data.pictures.as_ref().map(|pictures| pictures.bad.clone()).unwrap_or_default();
        let is_bad = |at: usize| {
            let path = &inventory.listing.pictures[at].path;
            bad.binary_search_by(|bad| bad.path.cmp(path)).is_ok()
        };
        let parts = inventory.parts(options.shares, |at| !is_bad(at));
        let headers: Vec<_> =
            inventory.files.iter().filter_map(|file| file.header.as_ref().ok()).collect();
        let mut formats = BTreeMap::new();
        for header in &headers {
            *formats.entry(header.format).or_default() += 1;
        }
        let area = |size: &[usize; 2]| size[0] * size[1];
        let sizes = || headers.iter().map(|header| header.size);
        let mut stops: Vec<String> =
            data.check_trainable().err().map(|error| error.to_string()).into_iter().collect();
        if !bad.is_empty() && !skips_bad {
            stops.push(format!(
                "{} cannot be used: repair or remove them, or pass --set data.on_bad_picture=skip",
                if bad.len() == 1 {
                    "1 picture".to_owned()
                } else {
                    format!("{} pictures", bad.len())
                }
            ));
        }
        Self {
            folder: folder.display().to_string(),
            layout: inventory.listing.layout.describe().to_owned(),
            classes: counts(data),
            is_split_by_content: inventory.is_unsplit(),
            channels: data.train.channels(),
            formats,
            sizes: sizes().min_by_key(area).zip(sizes().max_by_key(area)).map(Into::into),
            skipped: inventory.listing.skipped.describe(),
            problems: inventory.problems(&parts, |at| !is_bad(at)),
            bad,
            gaps: data.gaps(),
            stops,
            set: Vec::new(),
        }
    }

    fn command(&self) -> String {
        let set = self.set.iter().map(|assignment| format!(" --set {}", quoted(assignment)));
        format!("nin-cli train --data {}{}", quoted(&self.folder), set.collect::<Vec<_>>().concat())
    }

    fn as_json(&self) -> Value {
        let class = |(name, [train, validation, test]): &(String, [usize; 3])| json!({ "class": name, "train": train, "validation": validation, "test": test });
        let problem = |problem: &Problem| {
            json!({
                "kind": problem.kind(),
                "paths": problem.paths(),
                "message": problem.to_string(),
            })
        };
        let bad = |bad: &BadPicture| json!({ "path": bad.path, "reason": bad.reason });
        json!({
            "folder": self.folder,
            "layout": self.layout,
            "classes": self.classes.iter().map(class).collect::<Vec<_>>(),
            "split_by_content": self.is_split_by_content,
            "channels": self.channels,
            "formats": self.formats,
            "smallest": self.sizes.map(|sizes| sizes[0]),
            "largest": self.sizes.map(|sizes| sizes[1]),
            "skipped": self.skipped,
            "bad_pictures": self.bad.iter().map(bad).collect::<Vec<_>>(),
            "problems": self.problems.iter().map(problem).collect::<Vec<_>>(),
            "gaps": self.gaps,
            "stops": self.stops,
            "trainable": self.stops.is_empty(),
            "command": self.command(),
        })
    }

    fn as_text(&self) -> String {
        let total: usize =
            self.classes.iter().map(|(_, counts)| counts.iter().sum::<usize>()).sum();
        let colour = if self.channels == 1 { "grey" } else { "colour" };
        let mut lines = vec![format!(
            "{}: {}, {} classes, {total} images, {colour}",
            self.folder,
            self.layout,
            self.classes.len()
        )];
        if let Some([smallest, largest]) = self.sizes {
            let size = |[height, width]: [usize; 2]| format!("{width}x{height}");
            let formats: Vec<String> =
                self.formats.iter().map(|(name, count)| format!("{count} {name}")).collect();
            let formats = if formats.is_empty() {
                String::new()
            } else {
                format!("; {}", formats.join(", "))
            };
            lines.push(format!("sizes from {} to {}{formats}", size(smallest), size(largest)));
        }
        let width = self.classes.iter().map(|(name, _)| name.chars().count()).max();
        let width = width.unwrap_or_default().clamp(5, 40);
        lines.push(String::new());
        lines.push(format!("{:<width$}  {:>7} {:>7} {:>7}", "class", "train", "val", "test"));
        for (name, [train, validation, test]) in &self.classes {
            lines.push(format!("{name:<width$}  {train:>7} {validation:>7} {test:>7}"));
        }
        if self.is_split_by_content {
            lines.push("split by content: the folder has no train, val or test parts".to_owned());
        }
        lines.push(String::new());
        let bad = |bad: &BadPicture| format!("bad picture: `{}`: {}", bad.path, bad.reason);
        lines.extend(self.bad.iter().map(bad));
        lines.extend(self.problems.iter().map(|problem| format!("note: {problem}")));
        lines.extend(self.gaps.iter().map(|gap| format!("note: {gap}")));
        lines.extend(self.skipped.iter().map(|skipped| format!("note: {skipped}")));
        lines.extend(self.stops.iter().map(|stop| format!("training would stop: {stop}")));
        if self.stops.is_empty() {
            lines.push(format!("train with: {}", self.command()));
        }
        printable_text(&lines)
    }
}

/// Counts the images of each class by part.
fn counts(data: &DataSet) -> Vec<(String, [usize; 3])> {
    let mut counts: Vec<(String, [usize; 3])> =
        data.class_names.iter().map(|name| (name.clone(), [0; 3])).collect();
    for (at, part) in Part::ALL.into_iter().enumerate() {
        for &label in data.part(part).labels() {
            if let Some((_, counts)) = counts.get_mut(usize::from(label)) {
                counts[at] += 1;
            }
        }
    }
    counts
}
