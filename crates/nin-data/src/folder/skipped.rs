//! What a folder of pictures holds besides pictures.

use std::ops::AddAssign;

/// The number of skipped files under a folder, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SkippedFiles {
    /// Hidden files and folders, and those that operating systems create.
    pub hidden: usize,
    /// HEIC, AVIF, JPEG XL and JPEG 2000 pictures, which must be converted to JPEG or PNG first.
    pub to_convert: usize,
    /// Files of other types.
    pub other_types: usize,
    /// Pipes, devices and broken links.
    pub not_files: usize,
    /// Pictures outside the class folders, or without a row in the table.
    pub unlabelled: usize,
}

impl AddAssign for SkippedFiles {
    fn add_assign(&mut self, other: Self) {
        self.hidden += other.hidden;
        self.to_convert += other.to_convert;
        self.other_types += other.other_types;
        self.not_files += other.not_files;
        self.unlabelled += other.unlabelled;
    }
}

impl SkippedFiles {
    /// Returns the total number of skipped files.
    pub fn total(&self) -> usize {
        let Self { hidden, to_convert, other_types, not_files, unlabelled } = self;
        hidden + to_convert + other_types + not_files + unlabelled
    }

    /// Describes each reason that occurs, in one phrase.
    pub fn describe(&self) -> Vec<String> {
        [
            (self.hidden, "hidden or created by the system"),
            (
                self.to_convert,
                "of unsupported formats (HEIC, AVIF, JPEG XL, JPEG 2000): convert them to JPEG or PNG",
            ),
            (self.other_types, "of other types"),
            (self.not_files, "not regular files (pipes, devices, broken links)"),
            (self.unlabelled, "without a class: neither in a class folder nor in a table"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} skipped, {what}"))
        .collect()
    }
}
