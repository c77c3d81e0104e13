//! Prints the answers of `predict`, picture by picture, in each format.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::Context;
use nin_model::ModelMetadata;
use nin_prediction::{Answer, Threshold, UNKNOWN};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::arguments::PredictFormat;
use crate::error::CommandError;
use crate::output::note;
use crate::pictures::PictureError;
use crate::terminal::{printable, printable_json};

/// The minimum width of the class column.
const NARROWEST: usize = 12;

/// A refused picture.
#[derive(Serialize, Deserialize)]
pub(super) struct Refusal {
    pub(super) name: String,
    pub(super) reason: String,
    pub(super) hint: String,
}

impl Refusal {
    pub(super) fn new(name: String, error: &PictureError) -> Self {
        Self { name, reason: error.to_string(), hint: error.hint().to_owned() }
    }

    fn as_json(&self) -> Value {
        json!({ "path": self.name, "reason": self.reason })
    }
}

/// Prints answers as they arrive. Each picture is one write.
pub(super) struct Printer {
    format: PredictFormat,
    metadata: ModelMetadata,
    top: usize,
    threshold: Option<Threshold>,
    /// The width of the class column.
    width: usize,
    given: usize,
    refused: usize,
    /// The first refusal, or all of them for a JSON object, which lists them after the answers.
    refusals: Vec<Refusal>,
    is_open: bool,
    /// Whether stdout is a terminal, which acts upon control characters.
    is_terminal: bool,
}

impl Printer {
    pub(super) fn new(
        format: PredictFormat,
        metadata: ModelMetadata,
        top: usize,
        threshold: Option<Threshold>,
    ) -> Self {
        let widths = metadata.classes.iter().map(|name| printable(name).chars().count());
        let width = widths.max().unwrap_or_default().max(NARROWEST);
        let top = top.min(metadata.classes.len());
        let (given, refused, refusals) = (0, 0, Vec::new());
        Self {
            format,
            metadata,
            top,
            threshold,
            width,
            given,
            refused,
            refusals,
            is_open: false,
            is_terminal: io::stdout().is_terminal(),
        }
    }

    /// Prints what comes before the first picture.
    pub(super) fn begin(&mut self) -> anyhow::Result<()> {
        self.is_open = true;
        match self.format {
            PredictFormat::Json => write("{\"images\":["),
            PredictFormat::Csv => {
                let more = (2..=self.top).map(|rank| format!("class_{rank},probability_{rank},"));
                let more: String = more.collect();
                write(&format!("path,class,probability,{more}error\n"))
            }
            PredictFormat::Text | PredictFormat::Jsonl => Ok(()),
        }
    }

    /// Returns the number of answered pictures.
    pub(super) fn given(&self) -> usize {
        self.given
    }

    /// Returns an answer as it is printed.
    pub(super) fn formatted(&self, answer: &Answer) -> String {
        let classes = &self.metadata.classes;
        match self.format {
            PredictFormat::Text => self.as_text(answer),
            PredictFormat::Json => {
                let entry = answer.as_json(&self.metadata, self.top, self.threshold).to_string();
                printable_json(&entry).into_owned()
            }
            PredictFormat::Jsonl => {
                let line = answer.as_json_line(classes, self.top, self.threshold).to_string();
                printable_json(&line).into_owned() + "\n"
            }
            PredictFormat::Csv => self.as_row(answer),
        }
    }

    /// Prints a formatted answer.
    pub(super) fn answer(&mut self, formatted: &str) -> anyhow::Result<()> {
        let is_next = self.given > 0 && self.format == PredictFormat::Json;
        self.given += 1;
        if is_next { write(&format!(",{formatted}")) } else { write(formatted) }
    }

    /// Reports a refused picture, or keeps it for the end.
    pub(super) fn refuse(&mut self, refusal: Refusal) -> anyhow::Result<()> {
        self.refused += 1;
        match self.format {
            PredictFormat::Text | PredictFormat::Json => {}
            PredictFormat::Jsonl => {
                write(&(printable_json(&refusal.as_json().to_string()).into_owned() + "\n"))?;
            }
            PredictFormat::Csv => {
                let empty = ",".repeat(2 * self.top.max(1));
                let name = field(&refusal.name, self.is_terminal);
                let reason = field(&refusal.reason, self.is_terminal);
                write(&format!("{name},{empty}{reason}\n"))?;
            }
        }
        if self.refused > 1 {
            note(format!("`{}`: {}", refusal.name, refusal.reason));
        }
        if self.refusals.is_empty() || self.format == PredictFormat::Json {
            self.refusals.push(refusal);
        }
        Ok(())
    }

    /// Prints what comes after the last picture.
    pub(super) fn close(&mut self) -> anyhow::Result<()> {
        if !std::mem::take(&mut self.is_open) || self.format != PredictFormat::Json {
            return Ok(());
        }
        let refused: Vec<_> = self.refusals.iter().map(Refusal::as_json).collect();
        let refused = Value::from(refused).to_string();
        write(&format!("],\"refused\":{}}}\n", printable_json(&refused)))
    }

    /// Ends the output of a command that is interrupted. Reports the first refusal as a note, where
    /// [`Self::end`] returns it as an error.
    pub(super) fn end_early(&mut self) {
        let _ = self.close();
        if let Some(Refusal { name, reason, .. }) = self.refusals.first() {
            note(format!("`{name}`: {reason}"));
        }
    }

    /// Ends the output. Fails if a picture was refused.
    pub(super) fn end(&mut self) -> anyhow::Result<ExitCode> {
        self.close()?;
        let Some(Refusal { name, reason, hint }) = self.refusals.first() else {
            return Ok(ExitCode::SUCCESS);
        };
        let (failed, all) = (self.refused, self.refused + self.given);
        let message = if all == 1 {
            format!("`{name}`: {reason}")
        } else {
            format!("{failed} of {all} pictures could not be classified, first `{name}`: {reason}")
        };
        Err(CommandError::new(message, hint).into())
    }

    fn as_text(&self, answer: &Answer) -> String {
        let Answer { name, size: [height, across], inverted, prediction } = answer;
        let (name, width) = (printable(name), self.width);
        let note = if *inverted { ", inverted" } else { "" };
        let [map_height, map_width] = prediction.map_size();
        let mut text = format!("{name} ({across}x{height}{note}, maps {map_width}x{map_height})\n");
        if let (None, Some(threshold)) = (answer.class(self.threshold), self.threshold) {
            let least = threshold.probability();
            // Writing to a string does not fail.
            let _ = writeln!(text, "  {UNKNOWN:<width$}  below the threshold of {least}");
        }
        for class in prediction.top(self.top) {
            let class_name = printable(&self.metadata.classes[class]);
            let percent = prediction.probabilities[class] * 100.0;
            let logit = prediction.logits[class];
            let _ = writeln!(text, "  {class_name:<width$}  {percent:>6.2} %  logit {logit:.4}");
        }
        text
    }

    /// Writes the class, or [`UNKNOWN`] below the threshold, and the next classes.
    fn as_row(&self, answer: &Answer) -> String {
        let (classes, prediction) = (&self.metadata.classes, &answer.prediction);
        let mut row = field(&answer.name, self.is_terminal);
        for (rank, class) in prediction.top(self.top.max(1)).into_iter().enumerate() {
            let name = if rank == 0 {
                answer.class_name(classes, self.threshold)
            } else {
                &classes[class]
            };
            let name = field(name, self.is_terminal);
            let _ = write!(row, ",{name},{}", prediction.probabilities[class]);
        }
        row + ",\n"
    }
}

/// Formats a field of a CSV row: raw for a program, escaped for a terminal.
fn field(text: &str, is_terminal: bool) -> String {
    if is_terminal { quoted(&printable(text)) } else { quoted(text) }
}

/// Quotes a field of a CSV row (RFC 4180).
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

fn write(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written.context("cannot write to stdout")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_if_necessary() {
        assert_eq!(quoted("T-shirt/top"), "T-shirt/top");
        assert_eq!(field("a\u{1b}[2J\n", true), "a\\u{1b}[2J\\n");
        assert_eq!(field("a\u{1b}[2J", false), "a\u{1b}[2J");
        assert_eq!(quoted("a, \"b\"\n"), "\"a, \"\"b\"\"\n\"");
    }
}
