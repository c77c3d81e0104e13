//! nin-data's table of odd pictures through `POST /v1/predict`: the answer of `predict`, or a 4xx.

use std::fs;

use nin_model::Fit;
use serde_json::Value;

use super::server::Server;
use crate::odd_pictures::{Expected, rows, write_network};
use crate::program::nin;

/// Tolerance between a batch of one and of many, whose sums have another order.
const BATCH_TOLERANCE: f64 = 1e-4;

#[test]
fn odd_pictures_have_the_answer_of_predict_or_an_error() {
    let root = tempfile::tempdir().unwrap();
    write_network(&root.path().join("run"), 3, Some(Fit::Pad), "photos");
    let table = rows();
    let paths: Vec<_> = table.iter().map(|row| row.path.to_str().unwrap()).collect();
    let line = ["predict", "--checkpoint", "run", "--format", "json"];
    let finished = nin(root.path(), &[&line[..], &paths].concat());
    let answers: Value = serde_json::from_str(&finished.stdout).unwrap();
    let server = Server::start(root.path(), &[]);
    for (row, path) in table.iter().zip(paths) {
        let reply = server.predict(&fs::read(&row.path).unwrap());
        match &row.expected {
            Expected::Decoded { .. } => {
                assert_eq!(reply.status, 200, "{}: {}", row.name, reply.text());
                let images = answers["images"].as_array().unwrap();
                let expected = images.iter().find(|image| image["path"] == path).unwrap();
                let answer = &reply.json()["images"][0];
                assert_eq!((&answer["path"], &answer["size"]), (&"-".into(), &expected["size"]));
                let tops = [answer, expected].map(|image| image["top"].as_array().unwrap());
                for (one, other) in tops[0].iter().zip(tops[1]) {
                    let [one, other] = [one, other].map(|entry| entry["logit"].as_f64().unwrap());
                    assert!((one - other).abs() < BATCH_TOLERANCE, "{}", row.name);
                }
            }
            Expected::Refused(words) => {
                let detail = reply.problem(reply.status);
                assert!([415, 422].contains(&reply.status), "{}: {}", row.name, reply.status);
                let is_empty = fs::metadata(&row.path).unwrap().len() == 0;
                assert!(is_empty || detail.contains(words), "{}: {detail}", row.name);
                if row.name.starts_with("damaged") {
                    assert!(reply.status == 422 || row.name == "damaged-start-only.jpg");
                }
            }
        }
    }
}
