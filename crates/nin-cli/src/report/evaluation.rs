//! Precision, recall and F1 of each class, and the confusion matrix.

use maud::{Markup, html};

use super::inspection::Inspection;
use super::page::{Section, cell, grouped, percent, scrolling, table, unbroken};
use crate::drawing::Figure;

/// With more classes, a list of the largest entries replaces the matrix.
const LARGEST_MATRIX: usize = 30;
/// The longest class name that is horizontal over a column, in characters.
const LONGEST_UPRIGHT: usize = 3;
/// Entries of the list.
const LISTED: usize = 20;

/// Returns a row for each class.
pub(super) fn per_class(inspection: &Inspection) -> Section {
    let Inspection { evaluation, classes, .. } = inspection;
    let rows: Vec<_> = classes
        .iter()
        .enumerate()
        .map(|(class, name)| {
            let images: usize = evaluation.confusion[class].iter().sum();
            vec![
                unbroken(name),
                cell(grouped(images)),
                cell(percent(evaluation.precision(class))),
                cell(percent(evaluation.recall(class))),
                cell(percent(evaluation.f1(class))),
            ]
        })
        .collect();
    let score = evaluation.score;
    let head = ["class", "images", "precision", "recall", "F1"];
    let body = html! {
        p class="note" {
            "Best checkpoint on " (grouped(score.images)) " test images: accuracy "
            (percent(Some(score.accuracy()))) ", balanced accuracy "
            (percent(evaluation.balanced_accuracy())) ", macro F1 " (percent(evaluation.macro_f1()))
            ", loss " (format_args!("{:.4}", score.loss()))
            ". Precision is the share of a class's predictions that are right, recall the share of \
             its images that are found, F1 their harmonic mean. Balanced accuracy and macro F1 are \
             means over the classes."
        }
        (table("Metrics of each class", &head, &rows))
    };
    Section { id: "classes", title: "Classes", body }
}

/// Returns the confusion matrix, or its largest entries.
pub(super) fn confusion(inspection: &Inspection) -> Section {
    let body = if inspection.classes.len() > LARGEST_MATRIX {
        largest_confusions(inspection)
    } else {
        matrix(inspection)
    };
    Section { id: "confusion", title: "Confusion", body }
}

fn matrix(inspection: &Inspection) -> Markup {
    let Inspection { evaluation, classes, .. } = inspection;
    let is_named = classes.iter().any(|name| name.chars().count() > LONGEST_UPRIGHT);
    let kind = if is_named { "confusion named" } else { "confusion" };
    let caption = "Images of each class (row) by predicted class (column)";
    let table = html! {
        table class=(kind) {
            caption { span { (caption) } }
            thead {
                tr {
                    td {}
                    @for name in classes { th scope="col" { span { (name) } } }
                }
            }
            tbody {
                @for (label, counts) in evaluation.confusion.iter().enumerate() {
                    @let images = counts.iter().sum::<usize>().max(1) as f64;
                    tr {
                        th scope="row" { (unbroken(&classes[label])) }
                        @for (answer, &count) in counts.iter().enumerate() {
                            @let kind = if answer == label { "right" } else { "wrong" };
                            @let share = format!("--share:{:.3}", count as f64 / images);
                            td class=(kind) style=(share) { (grouped(count)) }
                        }
                    }
                }
            }
        }
    };
    scrolling(caption, &table)
}

/// Returns the confusion matrix as a file, without numbers if there are many classes.
pub(super) fn figure(inspection: &Inspection) -> Figure {
    const LEFT: f64 = 120.0;
    const TOP: f64 = 110.0;
    let Inspection { evaluation, classes, .. } = inspection;
    let is_large = classes.len() > LARGEST_MATRIX;
    let (cell, top, left) = if is_large { (8.0, 46.0, 8.0) } else { (44.0, TOP, LEFT) };
    let content = html! {
        @for (label, counts) in evaluation.confusion.iter().enumerate() {
            @let images = counts.iter().sum::<usize>().max(1) as f64;
            @let (y, middle) = (top + cell * label as f64, cell * (label as f64 + 0.5) + 4.5);
            @for (answer, &count) in counts.iter().enumerate() {
                @let x = left + cell * answer as f64;
                @let (kind, strongest) =
                    if answer == label { ("cell", 0.45) } else { ("cell wrong", 0.7) };
                rect class=(kind) x=(x) y=(y) width=(cell) height=(cell)
                    fill-opacity=(format_args!("{:.3}", count as f64 / images * strongest)) {}
                @if !is_large {
                    text class="count" x=(x + cell / 2.0) y=(top + middle) { (grouped(count)) }
                }
            }
            @if !is_large {
                @let name = shortened(&classes[label]);
                text x=(left - 8.0) y=(top + middle) text-anchor="end" { (name) }
                text transform=(format_args!(
                    "translate({} {}) rotate(-90)", left + middle, top - 8.0
                )) { (name) }
            }
        }
        text x="8" y="20" { "row: true class" }
        text x="8" y="38" { "column: predicted" }
    };
    let side = cell * classes.len() as f64;
    let description = "Images of each class (row) by predicted class (column)";
    Figure::new("confusion", [0.0, 0.0, left + side + 8.0, top + side + 8.0], description, &content)
}

/// Shortens a class name to fit next to the matrix.
fn shortened(name: &str) -> String {
    const LONGEST: usize = 14;
    if name.chars().count() <= LONGEST {
        return name.to_owned();
    }
    name.chars().take(LONGEST - 1).chain(['…']).collect()
}

fn largest_confusions(inspection: &Inspection) -> Markup {
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
            vec![unbroken(&classes[label]), unbroken(&classes[answer]), cell(grouped(count))]
        })
        .collect();
    table("Most frequent confusions", &["class", "predicted as", "images"], &rows)
}

#[cfg(test)]
mod tests {
    use nin_model::MapGeometry;
    use nin_train::Evaluation;

    use super::*;

    #[test]
    fn many_classes_have_a_list_of_the_most_frequent_confusions() {
        let classes = 100;
        let mut counts = vec![vec![0; classes]; classes];
        (counts[3][7], counts[98][0], counts[5][5]) = (4, 9, 50);
        let inspection = Inspection {
            classes: (0..classes).map(|class| format!("class <{class}>")).collect(),
            evaluation: Evaluation { confusion: counts, ..Evaluation::new(classes).unwrap() },
            hottest: vec![1.0; classes],
            mistakes: Vec::new(),
            geometry: MapGeometry { first: 0.0, step: 1, field: 1 },
        };
        let body = confusion(&inspection).body.into_string();
        assert_eq!(body.matches("<tr>").count(), 3, "{body}"); // the head and two pairs
        let [first, second] = ["&lt;98&gt;", "&lt;3&gt;"].map(|name| body.find(name).unwrap());
        assert!(first < second, "the most frequent stands first: {body}");
        assert_eq!(inspection.unanswered_classes(), ["class <3>", "class <98>"]);
        let body = per_class(&inspection).body.into_string();
        assert!(body.contains("<th scope=\"row\">class &lt;99&gt;</th>"), "{body}");
    }
}
