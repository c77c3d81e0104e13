//! `--maps`: writes a PNG for each picture and each of its top classes.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use nin_model::{MapGeometry, ModelMetadata};
use nin_train::Prediction;

use crate::output::unwritable;
use crate::pictures::{self, Picture, Source};

/// Writes map files into a folder. Numbers continue after existing files.
pub(super) struct Overlays<'a> {
    folder: &'a Path,
    metadata: &'a ModelMetadata,
    geometry: MapGeometry,
    top: usize,
    number: u64,
}

impl<'a> Overlays<'a> {
    pub(super) fn new(
        folder: &'a Path,
        metadata: &'a ModelMetadata,
        top: usize,
    ) -> anyhow::Result<Self> {
        let number = last_number(folder).map_err(|error| unwritable("list", folder, &error))?;
        let geometry = metadata.architecture.map_geometry();
        Ok(Self { folder, metadata, geometry, top, number })
    }

    pub(super) fn write(
        &mut self,
        source: &Source,
        picture: &Picture,
        prediction: &Prediction,
    ) -> anyhow::Result<()> {
        self.number += 1;
        let hottest = prediction.hottest();
        for (rank, class) in prediction.top(self.top).into_iter().enumerate() {
            let png = pictures::overlay(picture, &prediction.map(class), self.geometry, hottest)?;
            let path = self.path(source, rank + 1, &self.metadata.classes[class]);
            let file = OpenOptions::new().write(true).create_new(true).open(&path);
            file.and_then(|mut file| file.write_all(&png))
                .map_err(|error| unwritable("write", &path, &error))?;
        }
        Ok(())
    }

    /// Numbered, because two folders may contain pictures of the same name.
    fn path(&self, source: &Source, rank: usize, class: &str) -> PathBuf {
        let number = self.number;
        let (stem, class) = (plain(&source.stem()), plain(class));
        self.folder.join(format!("{number:05}-{stem}-{rank}-{class}.png"))
    }
}

/// Returns the largest number that starts a file name in the folder, or 0.
fn last_number(folder: &Path) -> std::io::Result<u64> {
    let mut last = 0;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.split_once('-')?.0.parse().ok());
        last = last.max(number.unwrap_or(0));
    }
    Ok(last)
}

/// Makes a part of a file name: letters and digits, dashes for anything else, and not too long.
fn plain(text: &str) -> String {
    let dashed = |letter: char| if letter.is_alphanumeric() { letter } else { '-' };
    text.chars().map(dashed).take(40).collect()
}
