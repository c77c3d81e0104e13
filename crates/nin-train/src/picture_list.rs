//! Checks that a resumed run has the pictures listed in its `pictures.csv`.

use std::collections::BTreeMap;

use nin_data::{PictureRow, PictureSet, parse_picture_list};

use crate::{RunFolder, TrainError};

/// Label, part and SHA-256 of each picture, by path.
type Rows = BTreeMap<String, [String; 3]>;

/// Checks that a run resumes with the pictures that it started with. A run without a list passes.
///
/// # Errors
/// [`TrainError::PicturesChanged`] names the first difference.
pub(crate) fn check(run: &RunFolder, pictures: &PictureSet) -> Result<(), TrainError> {
    let Some(old) = run.pictures()? else { return Ok(()) };
    let old = rows(&old);
    let new = rows(pictures.list.as_bytes());
    let changed = |(picture, row): (&String, &[String; 3])| {
        let change = match new.get(picture) {
            None => "is missing".to_owned(),
            Some(now) if now == row => return None,
            Some([label, ..]) if *label != row[0] => {
                format!("changed from class `{}` to `{label}`", row[0])
            }
            Some([_, part, sum]) if *sum == row[2] => {
                format!("moved from part `{}` to `{part}`", row[1])
            }
            Some(_) => "has different content".to_owned(),
        };
        Some((picture.clone(), change))
    };
    let added = || {
        let picture = new.keys().find(|picture| !old.contains_key(*picture))?;
        Some((picture.clone(), "is new".to_owned()))
    };
    match old.iter().find_map(changed).or_else(added) {
        None => Ok(()),
        Some((picture, change)) => {
            Err(TrainError::PicturesChanged { path: run.path().to_owned(), picture, change })
        }
    }
}

fn rows(list: &[u8]) -> Rows {
    let row = |row: PictureRow| (row.path, [row.label, row.part, row.sha256]);
    parse_picture_list(list).into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use nin_data::{PictureLayout, SkippedFiles};

    use super::*;
    use crate::sample;

    const HEADER: &str = "path,label,split,sha256\n";

    fn pictures(rows: &str) -> PictureSet {
        PictureSet {
            layout: PictureLayout::ClassFolders,
            is_split_by_content: true,
            list: format!("{HEADER}{rows}"),
            bad: Vec::new(),
            skipped: SkippedFiles::default(),
            warnings: Vec::new(),
        }
    }

    #[test]
    fn what_changed_is_named() {
        let (_root, run, _lock) = sample::run();
        let list = "a/1.png,a,train,12\n\"b/x, y.png\",b,test,34\n";
        check(&run, &pictures(list)).unwrap();
        std::fs::write(run.pictures_path(), format!("{HEADER}{list}")).unwrap();
        check(&run, &pictures(list)).unwrap();
        for (now, said) in [
            ("a/1.png,a,train,12\n", "`b/x, y.png` is missing"),
            (&format!("{list}c/3.png,c,train,56\n"), "`c/3.png` is new"),
            (&list.replace("34", "35"), "`b/x, y.png` has different content"),
            (
                &list.replace("train", "validation"),
                "`a/1.png` moved from part `train` to `validation`",
            ),
            (&list.replace(",a,", ",b,"), "`a/1.png` changed from class `a` to `b`"),
        ] {
            let error = check(&run, &pictures(now)).unwrap_err().to_string();
            assert!(error.ends_with(said), "{error} should say {said}");
        }
    }
}
