//! Precision, recall and F1 of each class, and which class is taken for which.

use super::inspection::Inspection;
use super::page::{Section, escaped, grouped, joined, percent, scrolling, table};

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
                escaped(name),
                grouped(images),
                percent(evaluation.precision(class)),
                percent(evaluation.recall(class)),
                percent(evaluation.f1(class)),
            ]
        })
        .collect();
    let score = evaluation.score;
    let note = format!(
        "<p class=\"note\">The best checkpoint over {} test images: accuracy {}, loss {:.4}. \
         Precision: of the answers, the share that was right. Recall: of the images, the share that \
         was found. F1: their harmonic mean.</p>",
        grouped(score.images),
        percent(Some(score.accuracy())),
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
            format!("<td class=\"{kind}\" style=\"--share:{share:.3}\">{count}</td>")
        });
        format!("<tr><th scope=\"row\">{}</th>{}</tr>\n", escaped(name), joined(cells))
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
            vec![escaped(&classes[label]), escaped(&classes[answer]), count.to_string()]
        })
        .collect();
    table("The most frequent wrong answers", &["class", "answer", "images"], &rows)
}

#[cfg(test)]
mod tests {
    use nin_model::MapGeometry;
    use nin_train::{Evaluation, Score};

    use super::*;

    #[test]
    fn of_many_classes_the_most_frequent_confusions_are_listed() {
        let classes = 100;
        let mut counts = vec![vec![0; classes]; classes];
        (counts[3][7], counts[98][0], counts[5][5]) = (4, 9, 50);
        let inspection = Inspection {
            classes: (0..classes).map(|class| format!("class <{class}>")).collect(),
            evaluation: Evaluation { score: Score::default(), confusion: counts },
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
