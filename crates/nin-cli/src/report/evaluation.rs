//! Precision, recall and F1 of each class, and which class is taken for which.

use std::fmt::Write;

use super::figures::Figure;
use super::inspection::Inspection;
use super::page::{Section, grouped, joined, percent, scrolling, table, unbroken};
use crate::xml::escaped;

/// Beyond so many classes the matrix is a list of its largest entries.
const LARGEST_MATRIX: usize = 30;
/// Letters of a class's name that stand upright over a column.
const LONGEST_UPRIGHT: usize = 3;
/// Entries of that list.
const LISTED: usize = 20;

/// A row for each class.
pub(super) fn per_class(inspection: &Inspection) -> Section {
    let Inspection { evaluation, classes, .. } = inspection;
    let rows: Vec<_> = classes
        .iter()
        .enumerate()
        .map(|(class, name)| {
            let images: usize = evaluation.confusion[class].iter().sum();
            vec![
                unbroken(name),
                grouped(images),
                percent(evaluation.precision(class)),
                percent(evaluation.recall(class)),
                percent(evaluation.f1(class)),
            ]
        })
        .collect();
    let score = evaluation.score;
    let note = format!(
        "<p class=\"note\">The best checkpoint over {} test images: accuracy {}, balanced accuracy {}, \
         macro F1 {}, loss {:.4}. Precision: of the answers, the share that was right. Recall: of the \
         images, the share that was found. F1: their harmonic mean. Balanced accuracy and macro F1 are \
         means over the classes.</p>",
        grouped(score.images),
        percent(Some(score.accuracy())),
        percent(evaluation.balanced_accuracy()),
        percent(evaluation.macro_f1()),
        score.loss()
    );
    let head = ["class", "images", "precision", "recall", "F1"];
    let body = format!("{note}\n{}", table("Each class", &head, &rows));
    Section { id: "classes", title: "Classes", body }
}

/// Which class is taken for which.
pub(super) fn confusion(inspection: &Inspection) -> Section {
    let body = if inspection.classes.len() > LARGEST_MATRIX {
        largest_confusions(inspection)
    } else {
        matrix(inspection)
    };
    Section { id: "confusion", title: "Confusion", body }
}

fn matrix(inspection: &Inspection) -> String {
    let Inspection { evaluation, classes, .. } = inspection;
    let heads =
        classes.iter().map(|name| format!("<th scope=\"col\"><span>{}</span></th>", escaped(name)));
    let head = joined(heads);
    let rows = classes.iter().zip(&evaluation.confusion).enumerate();
    let rows = joined(rows.map(|(label, (name, counts))| {
        let images = counts.iter().sum::<usize>().max(1) as f64;
        let cells = counts.iter().enumerate().map(|(answer, &count)| {
            let kind = if answer == label { "right" } else { "wrong" };
            let share = count as f64 / images;
            format!("<td class=\"{kind}\" style=\"--share:{share:.3}\">{}</td>", grouped(count))
        });
        format!("<tr><th scope=\"row\">{}</th>{}</tr>\n", unbroken(name), joined(cells))
    }));
    let is_named = classes.iter().any(|name| name.chars().count() > LONGEST_UPRIGHT);
    let kind = if is_named { "confusion named" } else { "confusion" };
    let caption = "How often each class (row) got each answer (column)";
    scrolling(
        caption,
        &format!(
            "<table class=\"{kind}\">\n<caption><span>{caption}</span></caption>\n\
             <thead><tr><td></td>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>"
        ),
    )
}

/// The confusion matrix as a file of its own; of many classes without its numbers.
pub(super) fn figure(inspection: &Inspection) -> Figure {
    const LEFT: f64 = 120.0;
    const TOP: f64 = 110.0;
    let Inspection { evaluation, classes, .. } = inspection;
    let is_large = classes.len() > LARGEST_MATRIX;
    let (cell, top, left) = if is_large { (8.0, 46.0, 8.0) } else { (44.0, TOP, LEFT) };
    let mut content = String::new();
    for (label, counts) in evaluation.confusion.iter().enumerate() {
        let images = counts.iter().sum::<usize>().max(1) as f64;
        let y = top + cell * label as f64;
        for (answer, &count) in counts.iter().enumerate() {
            let x = left + cell * answer as f64;
            let kind = if answer == label { "cell" } else { "cell wrong" };
            let strength = count as f64 / images * if answer == label { 0.45 } else { 0.7 };
            let _ = write!(
                content,
                "<rect class=\"{kind}\" x=\"{x}\" y=\"{y}\" width=\"{cell}\" height=\"{cell}\" \
                 fill-opacity=\"{strength:.3}\"/>"
            );
            if !is_large {
                let (x, y) = (x + cell / 2.0, y + cell / 2.0 + 4.5);
                let _ = writeln!(
                    content,
                    "<text class=\"count\" x=\"{x}\" y=\"{y}\">{}</text>",
                    grouped(count)
                );
            }
        }
        if !is_large {
            let name = escaped(&shortened(&classes[label]));
            let middle = cell * label as f64 + cell / 2.0;
            let (x, y) = (left - 8.0, top + middle + 4.5);
            let (across, up) = (left + middle + 4.5, top - 8.0);
            let _ = writeln!(
                content,
                "<text x=\"{x}\" y=\"{y}\" text-anchor=\"end\">{name}</text>\
                 <text transform=\"translate({across} {up}) rotate(-90)\">{name}</text>"
            );
        }
    }
    content +=
        "<text x=\"8\" y=\"20\">row: class</text><text x=\"8\" y=\"38\">column: answer</text>";
    let side = cell * classes.len() as f64;
    let description = "How often each class (row) got each answer (column)";
    Figure::new("confusion", [0.0, 0.0, left + side + 8.0, top + side + 8.0], description, &content)
}

/// A class's name, as long as it fits beside the matrix.
fn shortened(name: &str) -> String {
    const LONGEST: usize = 14;
    if name.chars().count() <= LONGEST {
        return name.to_owned();
    }
    name.chars().take(LONGEST - 1).chain(['…']).collect()
}

fn largest_confusions(inspection: &Inspection) -> String {
    let Inspection { evaluation, classes, .. } = inspection;
    let mut pairs = Vec::new();
    for (label, counts) in evaluation.confusion.iter().enumerate() {
        for (answer, &count) in counts.iter().enumerate() {
            if answer != label && count > 0 {
                pairs.push((count, label, answer));
            }
        }
    }
    pairs.sort_by(|one, other| other.cmp(one));
    let rows: Vec<_> = pairs
        .into_iter()
        .take(LISTED)
        .map(|(count, label, answer)| {
            vec![unbroken(&classes[label]), unbroken(&classes[answer]), grouped(count)]
        })
        .collect();
    table("The most frequent wrong answers", &["class", "answer", "images"], &rows)
}

#[cfg(test)]
mod tests {
    use nin_model::MapGeometry;
    use nin_train::Evaluation;

    use super::*;

    #[test]
    fn of_many_classes_the_most_frequent_confusions_are_listed() {
        let classes = 100;
        let mut counts = vec![vec![0; classes]; classes];
        (counts[3][7], counts[98][0], counts[5][5]) = (4, 9, 50);
        let inspection = Inspection {
            classes: (0..classes).map(|class| format!("class <{class}>")).collect(),
            evaluation: Evaluation { confusion: counts, ..Evaluation::new(classes).unwrap() },
            confidences: Vec::new(),
            hottest: vec![1.0; classes],
            mistakes: Vec::new(),
            geometry: MapGeometry { first: 0.0, step: 1, field: 1 },
        };
        let body = confusion(&inspection).body;
        assert_eq!(body.matches("<tr>").count(), 3, "{body}"); // the head and two pairs
        let [first, second] = ["&lt;98&gt;", "&lt;3&gt;"].map(|name| body.find(name).unwrap());
        assert!(first < second, "the most frequent stands first: {body}");
        assert_eq!(inspection.unanswered_classes(), ["class <3>", "class <98>"]);
        assert!(per_class(&inspection).body.contains("<th scope=\"row\">class &lt;99&gt;</th>"));
    }
}
