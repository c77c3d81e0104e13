//! Event files: TFRecords, each with a length, its checksum, the message and its checksum.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use nin_data::own_files::create_own_folder;
use prost::Message;

use super::message::{Event, What};

/// The content of the first record of every file.
const VERSION: &str = "brain.Event:2";
/// The most files that can be created within one second.
const MOST_IN_A_SECOND: u32 = 1000;

/// An open event file.
pub(super) struct EventFile(File);

impl EventFile {
    /// Creates a new file in a folder of a run, which is created if necessary. Refuses a link in its place. Readers
    /// order files by name.
    pub(super) fn create(folder: &Path) -> io::Result<Self> {
        create_own_folder(folder)?;
        let now = now();
        for number in 0..MOST_IN_A_SECOND {
            let name = format!("events.out.tfevents.{:010}.{number:03}.nin", now as u64);
            match OpenOptions::new().append(true).create_new(true).open(folder.join(name)) {
                Ok(file) => {
                    let mut file = Self(file);
                    let what = What::FileVersion(VERSION.to_owned());
                    file.write(&Event { wall_time: now, step: 0, what: Some(what) })?;
                    return Ok(file);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::from(io::ErrorKind::AlreadyExists))
    }

    /// Appends a record, in one write.
    pub(super) fn write(&mut self, event: &Event) -> io::Result<()> {
        self.0.write_all(&record(&event.encode_to_vec()))
    }
}

/// Returns the seconds since 1970.
pub(super) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// Encodes a message as a TFRecord.
pub(super) fn record(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(message.len() + 16);
    record.extend(length);
    record.extend(masked(&length).to_le_bytes());
    record.extend(message);
    record.extend(masked(message).to_le_bytes());
    record
}

/// Returns TensorFlow's masked checksum (`tsl/lib/hash/crc32c.h`). The mask avoids checksums of bytes that contain
/// checksums.
fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (RFC 3720, B.4).
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| (sum >> 1) ^ (0x82f6_3b78 * (sum & 1)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensorboard::message::{Content, Image, START, SessionLog, Summary, Value};

    #[test]
    fn checksums_match_rfc_3720() {
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&(0..32).collect::<Vec<u8>>()), 0x46dd_794e);
    }

    /// `golden.py` wrote them with TensorBoard's own classes.
    #[test]
    fn event_files_match_tensorboards_bytes() {
        let value = |tag: &str, content| Value { tag: tag.to_owned(), content: Some(content) };
        let image =
            Image { height: 2, width: 3, colorspace: 1, encoded_image_string: b"PNG".to_vec() };
        let events = [
            (0, What::FileVersion(VERSION.to_owned())),
            (20, What::SessionLog(SessionLog { status: START })),
            (
                30,
                What::Summary(Summary {
                    value: vec![
                        value("loss/train", Content::Scalar(0.5)),
                        value("accuracy/train", Content::Scalar(0.25)),
                    ],
                }),
            ),
            (30, What::Summary(Summary { value: vec![value("filters", Content::Image(image))] })),
        ];
        let written: Vec<u8> = events
            .into_iter()
            .flat_map(|(step, what)| {
                let event = Event { wall_time: 1_700_000_000.5, step, what: Some(what) };
                record(&event.encode_to_vec())
            })
            .collect();
        assert_eq!(written, include_bytes!("golden.tfevents"));
    }
}
