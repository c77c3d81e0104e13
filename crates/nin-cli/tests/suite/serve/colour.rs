//! A network for colour pictures.

use super::server::Server;
use crate::colour;

#[test]
fn colour_pictures_are_classified() {
    let root = tempfile::tempdir().unwrap();
    colour::prepare(root.path());
    colour::train(root.path(), "run", "--set training.epochs=1");
    let server = Server::start(root.path(), &[]);
    let answers: Vec<_> = [2, 3].map(|class| server.predict(&colour::png(class, 0)).json()).into();
    let logit = |at: usize| answers[at]["images"][0]["top"][0]["logit"].as_f64().unwrap();
    assert!(logit(0).is_finite() && logit(0) != logit(1), "colours make a difference");
}
