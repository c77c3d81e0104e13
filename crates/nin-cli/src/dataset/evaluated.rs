//! Chooses the images that `eval` and `report` look at: the run's own, unless other data is named.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use nin_data::{
    DataSet, ImageDataset, OnBadPicture, Part, PictureOptions, PictureRow, parse_picture_list,
};
use nin_model::ModelMetadata;
use nin_train::recipe::Recipe;
use nin_train::{RunFolder, RunHistory, TrainError};

use super::classes::{has_names, match_classes};
use super::folder::{name_of_data, remembered_environment, remembered_folder};
use super::reading::Reading;
use super::training::selected;
use crate::error::CommandError;
use crate::output::note;

/// The images to evaluate.
#[derive(Debug, Clone, Copy)]
pub struct ImageRequest<'a> {
    /// The network.
    pub metadata: &'a ModelMetadata,
    /// The run that contains the network, if any.
    pub run: Option<&'a Path>,
    /// The data folder, if named.
    pub folder: Option<&'a Path>,
    /// The data set's name, if named.
    pub dataset: Option<&'a str>,
    /// The requested part.
    pub part: Part,
    /// Whether to take every image of the part, including those that the run's recipe left out.
    pub whole: bool,
    /// Whether to take validation images if there are no test images.
    pub falls_back: bool,
}

/// The images, with the network's labels.
#[derive(Debug)]
pub struct ChosenImages {
    /// The data set's name.
    pub dataset: String,
    /// The part's name, or `all` if the data has no parts.
    pub part: &'static str,
    /// The images.
    pub images: ImageDataset,
    /// A remark on the choice, such as `data.limit = 320 as in the run`.
    pub remark: Option<String>,
    /// The data's classes that the network does not know. Their images are left out.
    pub unknown_classes: Vec<String>,
}

/// Opens the data and chooses the images.
pub fn choose_images(
    asked: ImageRequest<'_>,
    reading: Reading<'_>,
) -> anyhow::Result<ChosenImages> {
    let environment =
        asked.run.filter(|_| asked.dataset.is_none()).and_then(remembered_environment);
    let remembered = environment.as_ref().and_then(remembered_folder);
    let asked = ImageRequest { folder: asked.folder.or(remembered.as_deref()), ..asked };
    let ImageRequest { metadata, folder, .. } = asked;
    let recipe = asked.run.map(recipe_of).transpose()?.flatten();
    let name = asked.dataset.map_or_else(|| name_of_data(&metadata.dataset, folder), str::to_owned);
    let options = PictureOptions {
        input_size: metadata.preprocessing.input_size,
        channels: metadata.architecture.input_channels(),
        shares: recipe.as_ref().map(|recipe| recipe.data.shares()).unwrap_or_default(),
        on_bad_picture: recipe
            .as_ref()
            .map_or(OnBadPicture::Stop, |recipe| recipe.data.on_bad_picture),
        ..PictureOptions::default()
    };
    let data = reading.open(&name, folder, &options)?;
    if let Some(pictures) = &data.pictures {
        for bad in &pictures.bad {
            note(format!("warning: skipped `{}`: {}", bad.path, bad.reason));
        }
        for warning in &pictures.warnings {
            note(format!("warning: {warning}"));
        }
    }
    let (dataset, data_folder) = (data.name.clone(), data.folder.clone());
    let Narrowed { data, images, part, remark } = narrowed(asked, data, recipe.as_ref())?;
    if images.is_empty() {
        let message = format!("{} has no {} images", data.name, asked.part.name());
        return Err(CommandError::new(message, parts_hint(&data)).into());
    }
    let (images, unknown_classes) =
        with_the_networks_labels((&data, data_folder.as_deref()), &images, metadata)?;
    Ok(ChosenImages {
        dataset,
        part: part.map_or("all", Part::name),
        images,
        remark,
        unknown_classes,
    })
}

/// Returns a run's recipe, or `None` if this version does not know all its keys.
fn recipe_of(run: &Path) -> Result<Option<Recipe>, TrainError> {
    match RunFolder::open(run).and_then(|run| run.recipe()) {
        // Other images than the run's would give other figures.
        Err(error @ TrainError::Damaged { .. }) => Err(error),
        recipe => Ok(recipe.ok()),
    }
}

/// Data as the run had it.
struct Narrowed {
    data: DataSet,
    images: ImageDataset,
    /// `None` if the data has no parts.
    part: Option<Part>,
    remark: Option<String>,
}

/// Narrows the run's own data to what the run used. Pictures that the run does not know become one part, and so
/// does every folder of pictures without parts.
fn narrowed(
    asked: ImageRequest<'_>,
    data: DataSet,
    recipe: Option<&Recipe>,
) -> anyhow::Result<Narrowed> {
    let whole = |data: DataSet, part: Part, remark: Option<String>| {
        // Without test images, the validation images are the next best.
        let is_empty = part == Part::Test && asked.falls_back && data.test.is_empty();
        let part = if is_empty { Part::Validation } else { part };
        Narrowed { images: data.part(part), part: Some(part), data, remark }
    };
    if let Some(pictures) = data.pictures.as_ref().filter(|set| set.is_split_by_content) {
        let old = asked.run.map(pictures_of).transpose()?.unwrap_or_default();
        let new = parse_picture_list(pictures.list.as_bytes());
        if new.iter().all(|row| !old.contains_key(&row.sha256)) {
            let data = data.as_one_part();
            return Ok(Narrowed { images: data.test.clone(), part: None, data, remark: None });
        }
        let is_same = old.len() == new.len()
            && new.iter().all(|row| old.get(&row.sha256).is_some_and(|part| *part == row.part));
        if !is_same {
            let (images, remark) = as_the_run_split(&data, &new, &old, asked.part);
            return Ok(Narrowed { images, part: Some(asked.part), data, remark: Some(remark) });
        }
    }
    let is_the_runs =
        asked.run.is_some_and(|run| data.pictures.is_some() || is_data_of(&data, run));
    let Some(recipe) = recipe.filter(|_| is_the_runs && !asked.whole) else {
        return Ok(whole(data, asked.part, None));
    };
    let keys = [("held_out", recipe.data.held_out), ("limit", recipe.data.limit.unwrap_or(0))];
    let keys = keys.into_iter().filter(|(_, value)| *value > 0);
    let remark: Vec<String> =
        keys.map(|(key, value)| format!("data.{key} = {value} as in the run")).collect();
    let data = selected(recipe, data)?;
    Ok(whole(data, asked.part, (!remark.is_empty()).then(|| remark.join(", "))))
}

/// Returns the part of each picture of a run, by the SHA-256 of its file.
fn pictures_of(run: &Path) -> Result<HashMap<String, String>, TrainError> {
    let list = RunFolder::open(run)?.pictures()?;
    let rows = parse_picture_list(&list.unwrap_or_default());
    Ok(rows.into_iter().map(|row| (row.sha256, row.part)).collect())
}

/// Returns the pictures of a part as the run split them, after some were added or removed. Pictures that the run
/// never saw are test images.
fn as_the_run_split(
    data: &DataSet,
    rows: &[PictureRow],
    old: &HashMap<String, String>,
    part: Part,
) -> (ImageDataset, String) {
    let sums: HashMap<&str, &str> =
        rows.iter().map(|row| (row.path.as_str(), row.sha256.as_str())).collect();
    let images = data.clone().as_one_part().test;
    let mut new = 0;
    let mut is_meant = |index: &usize| {
        let sum = images.file_name(*index).and_then(|path| sums.get(path));
        match sum.and_then(|sum| old.get(*sum)) {
            Some(known) => known == part.name(),
            None if part == Part::Test => {
                new += 1;
                true
            }
            None => false,
        }
    };
    let chosen: Vec<usize> = (0..images.len()).filter(|index| is_meant(index)).collect();
    (images.select(&chosen), format!("split as in the run, {new} of them new"))
}

/// Returns whether a run used these files.
fn is_data_of(data: &DataSet, run: &Path) -> bool {
    let environment = RunHistory::read(run).ok().and_then(|history| history.environment);
    let Some(environment) = environment else { return false };
    let files = environment["data"].as_array().cloned().unwrap_or_default();
    let is_known = |sum: &str| files.iter().any(|file| file["sha256"] == sum);
    !files.is_empty() && data.checksums.iter().all(|file| is_known(&file.sha256))
}

/// Translates labels to the network's; leaves out images of classes that it does not know.
fn with_the_networks_labels(
    (data, folder): (&DataSet, Option<&Path>),
    images: &ImageDataset,
    metadata: &ModelMetadata,
) -> anyhow::Result<(ImageDataset, Vec<String>)> {
    let (channels, taken) = (images.channels(), metadata.architecture.input_channels());
    let mismatch = |expected: String, found: String| nin_train::TrainError::DataMismatch {
        dataset: data.name.clone(),
        folder: folder.map(Path::to_owned),
        expected,
        found,
    };
    if channels != taken {
        let classes = [metadata.classes.len(), data.class_names.len()];
        let [expected, found] = [(taken, classes[0]), (channels, classes[1])]
            .map(|(channels, classes)| format!("{channels} channel(s) and {classes} classes"));
        return Err(mismatch(expected, found).into());
    }
    let matching = match_classes(&data.class_names, &metadata.classes);
    if !matching.by_name && !matching.unknown.is_empty() {
        // More numbers than the network has classes, so it is other data.
        let expected = format!("{taken} channel(s) and at most {} classes", metadata.classes.len());
        let found = format!("{channels} channel(s) and {} classes", data.class_names.len());
        return Err(mismatch(expected, found).into());
    }
    if matching.map.iter().all(Option::is_none) {
        let expected = format!("classes such as {}", first_names(&metadata.classes));
        return Err(mismatch(expected, first_names(&data.class_names)).into());
    }
    if !matching.by_name && has_names(&metadata.classes) != has_names(&data.class_names) {
        let which = if has_names(&metadata.classes) { "the data has" } else { "the network has" };
        note(format!(
            "warning: {which} no class names: classes are matched by position, {} with {}",
            first_names(&data.class_names),
            first_names(&metadata.classes)
        ));
    }
    if !matching.unknown.is_empty() {
        let count = images
            .labels()
            .iter()
            .filter(|&&label| matching.map[usize::from(label)].is_none())
            .count();
        note(format!(
            "warning: the network does not know {}: {count} images are skipped",
            first_names(&matching.unknown)
        ));
    }
    let lacking: Vec<String> = missing_classes(images, &matching.map, &metadata.classes);
    if !lacking.is_empty() {
        note(format!("note: no images of {}", first_names(&lacking)));
    }
    Ok((images.relabelled(&matching.map), matching.unknown))
}

/// Returns the network's classes that have no images.
fn missing_classes(images: &ImageDataset, map: &[Option<u16>], classes: &[String]) -> Vec<String> {
    let there: HashSet<u16> =
        images.labels().iter().filter_map(|&label| map[usize::from(label)]).collect();
    let is_missing = |at: usize| u16::try_from(at).is_ok_and(|at| !there.contains(&at));
    (0..classes.len()).filter(|&at| is_missing(at)).map(|at| classes[at].clone()).collect()
}

/// Lists a few names and the number of the others.
fn first_names(names: &[String]) -> String {
    const NAMED: usize = 5;
    let first: Vec<String> = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

fn parts_hint(data: &DataSet) -> String {
    let counts = Part::ALL.map(|part| (part, data.part(part).len()));
    let there: Vec<String> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(part, count)| format!("--split {} ({count} images)", part.name()))
        .collect();
    if there.is_empty() { "pass a data set with --data".to_owned() } else { there.join(", or ") }
}

/// Finds the run folder that a checkpoint's path lies in.
pub fn run_of(path: &Path) -> Option<PathBuf> {
    let path = fs::canonicalize(path).ok()?;
    path.ancestors().take(4).find(|folder| RunFolder::is_run(folder)).map(Path::to_owned)
}
