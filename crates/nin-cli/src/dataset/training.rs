//! The data that a recipe trains and tests on.

use std::path::Path;

use nin_data::{CIFAR10, CIFAR100, DataSet, ImageDataset, PictureOptions, Selection};
use nin_train::recipe::Recipe;

use super::reading::Reading;
use crate::error::CommandError;
use crate::output::note;

/// Opens the data set of a recipe and applies `data.held_out` and `data.limit`.
///
/// If `selection_is_free` and the data is not a known set, `data.selection` becomes `stratified`.
pub fn open_training_data(
    recipe: &mut Recipe,
    folder: Option<&Path>,
    reading: Reading<'_>,
    selection_is_free: bool,
) -> anyhow::Result<DataSet> {
    let data = reading.open(&recipe.data.dataset, folder, &picture_options(recipe))?;
    if selection_is_free && !is_known(&data) {
        recipe.data.selection = Selection::Stratified;
    }
    let data = selected(recipe, data)?;
    data.check_trainable()?;
    describe(&data);
    Ok(data)
}

/// Returns whether this is a known data set. Its selection must not change, or published runs would no longer
/// reproduce.
fn is_known(data: &DataSet) -> bool {
    let is_cifar = [CIFAR10, CIFAR100].contains(&data.name.as_str());
    let mut sums = data.checksums.iter().filter_map(|file| file.known);
    data.pictures.is_none()
        && (is_cifar || sums.next().is_some_and(|first| first && sums.all(|sum| sum)))
}

/// Returns a recipe's options for reading pictures.
pub fn picture_options(recipe: &Recipe) -> PictureOptions<'static> {
    PictureOptions {
        // Without a size, pictures are refused later.
        input_size: [recipe.data.input_size.unwrap_or(1); 2],
        channels: recipe.model.input_channels.unwrap_or(0),
        shares: recipe.data.shares(),
        on_bad_picture: recipe.data.on_bad_picture,
        ..PictureOptions::default()
    }
}

/// Applies `data.held_out` and `data.limit` to a data set.
pub fn selected(recipe: &Recipe, mut data: DataSet) -> anyhow::Result<DataSet> {
    let recipe = &recipe.data;
    if recipe.held_out > 0 {
        let images = data.train.len();
        if recipe.held_out >= images {
            return Err(CommandError::new(
                format!(
                    "`data.held_out` is {}, but there are {images} training images",
                    recipe.held_out
                ),
                "set data.held_out below the number of training images",
            )
            .into());
        }
        data = data.held_out_by(recipe.held_out, recipe.selection);
    }
    if let Some(limit) = recipe.limit {
        data = data.limited_by(limit, recipe.selection);
    }
    Ok(data)
}

/// The share of the training images that a search holds out if nothing else is held out.
const HELD_OUT: usize = 10;

/// The most images that it holds out: an accuracy of 0.95 on them has a standard error of 0.003.
const MOST_HELD_OUT: usize = 5000;

/// Returns training data without its test images, to choose a recipe on. The images to compare on become the validation
/// part: the validation images, or the ones that `data.held_out` held out, or a tenth of the training images.
pub fn for_selection(recipe: &Recipe, data: DataSet) -> anyhow::Result<DataSet> {
    let mut data = data;
    if data.validation.is_none() {
        if recipe.data.held_out == 0 {
            let count = (data.train.len() / HELD_OUT).min(MOST_HELD_OUT);
            data = data.held_out_by(count, recipe.data.selection);
        }
        data.validation = Some(data.test.clone());
    }
    let images = data.validation.as_ref().map_or(0, ImageDataset::len);
    if images == 0 {
        return Err(CommandError::new(
            format!("{} training images are too few to compare recipes on", data.train.len()),
            "add pictures, or a validation part",
        )
        .into());
    }
    data.test = data.train.part(0..0);
    Ok(data)
}

/// Reports what was found before a training: pictures, parts, classes without images.
fn describe(data: &DataSet) {
    if let Some(pictures) = &data.pictures {
        let validation = data.validation.as_ref().map_or(0, ImageDataset::len);
        let how = if pictures.is_split_by_content { ", split by content" } else { "" };
        note(format!(
            "{} classes: {} pictures for training, {validation} for validation, {} for \
             testing{how}",
            data.class_names.len(),
            data.train.len(),
            data.test.len(),
        ));
        for line in pictures.skipped.describe() {
            note(format!("note: {line}"));
        }
        for bad in &pictures.bad {
            note(format!("warning: skipped `{}`: {}", bad.path, bad.reason));
        }
        for warning in &pictures.warnings {
            note(format!("warning: {warning}"));
        }
    }
    for gap in data.gaps() {
        note(format!("warning: {gap}"));
    }
}
