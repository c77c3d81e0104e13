//! Tests of the sentinel on simulated trainings.

use super::*;

const CLASSES: usize = 10;
/// Like the book's: 60,000 images in batches of 128.
const STEPS_PER_EPOCH: usize = 469;

fn sentinel(steps_per_epoch: usize) -> Sentinel {
    Sentinel::new((0..CLASSES).map(|class| format!("class {class}")).collect(), steps_per_epoch)
}

fn seen(loss: f64) -> Observation {
    Observation {
        loss,
        images: 128,
        silent: vec![false; CLASSES],
        alike: false,
        gradient_norm: Some(0.1),
    }
}

fn dead() -> Observation {
    let guess = (CLASSES as f64).ln();
    Observation {
        silent: vec![true; CLASSES],
        alike: true,
        gradient_norm: Some(0.0),
        ..seen(guess)
    }
}

/// Returns the alarms of a training: kind, whether it ends, and step.
fn alarms(
    sentinel: &Sentinel,
    steps: impl Iterator<Item = Observation>,
) -> (Vec<(AlarmKind, bool, usize)>, SentinelState) {
    let mut state = SentinelState::default();
    let mut alarms = Vec::new();
    for (at, seen) in steps.enumerate() {
        let place = (at / STEPS_PER_EPOCH + 1, at % STEPS_PER_EPOCH + 1, at + 1);
        let found = sentinel.observe(&mut state, place, &seen);
        alarms.extend(found.iter().map(|alarm| (alarm.alarm, alarm.over, at + 1)));
    }
    (alarms, state)
}

#[test]
fn a_training_that_learns_from_its_first_steps_raises_nothing() {
    let steps =
        (0..2000).map(|step| seen(std::f64::consts::LN_10 * (-0.002 * f64::from(step)).exp()));
    let (alarms, state) = alarms(&sentinel(STEPS_PER_EPOCH), steps);
    assert_eq!((alarms, state.has_collapsed(STEPS_PER_EPOCH)), (vec![], false));
}

#[test]
fn a_dead_network_is_named_within_the_first_half_of_an_epoch() {
    let (alarms, state) =
        alarms(&sentinel(STEPS_PER_EPOCH), std::iter::repeat_n(dead(), STEPS_PER_EPOCH / 2));
    let expected = [
        (AlarmKind::SilentClasses, false, SILENT_STEPS),
        (AlarmKind::Dead, false, ALIKE_STEPS),
        (AlarmKind::Plateau, false, 140),
    ];
    assert_eq!(alarms, expected);
    assert!(state.has_collapsed(STEPS_PER_EPOCH));
    assert_eq!(state.silent_classes(), (0..CLASSES).collect::<Vec<_>>());
}

#[test]
fn a_plateau_that_ends_is_no_collapse_and_its_end_is_said() {
    // On a plateau for an epoch, with the noise of small batches, then learns.
    let noise = |step: usize| [0.004, -0.006, 0.001][step % 3];
    let hanging = (0..STEPS_PER_EPOCH).map(move |step| seen(std::f64::consts::LN_10 + noise(step)));
    let learning = (0..300).map(|step| seen(2.3 - 0.005 * f64::from(step)));
    let (alarms, state) = alarms(&sentinel(STEPS_PER_EPOCH), hanging.chain(learning));
    assert_eq!(alarms[0], (AlarmKind::Plateau, false, 140));
    assert!(matches!(alarms[1], (AlarmKind::Plateau, true, 470..490)), "{alarms:?}");
    assert_eq!((alarms.len(), state.has_collapsed(STEPS_PER_EPOCH)), (2, false));
    assert!(state.standing().is_empty());
}

#[test]
fn a_plateau_of_two_epochs_is_given_up_once() {
    let steps = std::iter::repeat_n(seen(2.3), 3 * STEPS_PER_EPOCH);
    let (alarms, state) = alarms(&sentinel(STEPS_PER_EPOCH), steps);
    let raised = [140, 2 * STEPS_PER_EPOCH].map(|step| (AlarmKind::Plateau, false, step));
    assert_eq!(alarms, raised);
    assert!(state.has_collapsed(STEPS_PER_EPOCH));
}

#[test]
fn silent_classes_are_named_and_their_return_too() {
    let with_silent = |classes: &[usize]| {
        let mut seen = seen(1.0);
        for class in classes {
            seen.silent[*class] = true;
        }
        seen
    };
    let steps = std::iter::repeat_n(with_silent(&[3, 7]), 100)
        .chain(std::iter::repeat_n(with_silent(&[7]), 100))
        .chain(std::iter::repeat_n(with_silent(&[]), 100));
    let sentinel = sentinel(STEPS_PER_EPOCH);
    let (alarms, state) = alarms(&sentinel, steps);
    let silent = AlarmKind::SilentClasses;
    assert_eq!(alarms, [(silent, false, 20), (silent, false, 101), (silent, true, 201)]);
    assert!(state.silent_classes().is_empty());
}

#[test]
fn classes_that_do_not_occur_in_tiny_batches_are_not_called_silent() {
    // One image per batch: the logits of all other classes are 0.
    let steps = (0..2000).map(|step| Observation {
        images: 1,
        silent: (0..CLASSES).map(|class| class != step % CLASSES).collect(),
        ..seen(0.5)
    });
    assert_eq!(alarms(&sentinel(STEPS_PER_EPOCH), steps).0, []);
}

#[test]
fn a_gradient_of_nought_alone_is_no_death() {
    // The network has memorized everything: the loss is exactly 0.
    let steps = std::iter::repeat_n(Observation { gradient_norm: Some(0.0), ..seen(0.0) }, 1000);
    assert_eq!(alarms(&sentinel(STEPS_PER_EPOCH), steps).0, []);
}

#[test]
fn exploding_gradients_are_named_once_and_their_end() {
    let norms = [1.0, 2e3, 5e3, 500.0, 50.0, 1.0];
    let steps = norms.map(|norm| Observation { gradient_norm: Some(norm), ..seen(1.0) });
    let exploding = AlarmKind::ExplodingGradients;
    let (alarms, _) = alarms(&sentinel(STEPS_PER_EPOCH), steps.into_iter());
    assert_eq!(alarms, [(exploding, false, 2), (exploding, true, 5)]);
}

#[test]
fn what_it_remembers_survives_a_checkpoint_to_the_bit() {
    let sentinel = sentinel(STEPS_PER_EPOCH);
    let steps: Vec<_> = (0..400)
        .map(|step| if step < 200 { dead() } else { seen(2.29 + 0.1 / f64::from(step)) })
        .collect();
    let (uncut, state) = alarms(&sentinel, steps.iter().cloned());
    let (mut cut, mut said) = (SentinelState::default(), Vec::new());
    for (at, seen) in steps.iter().enumerate() {
        let json = serde_json::to_string(&cut).unwrap();
        cut = serde_json::from_str(&json).unwrap();
        let found = sentinel.observe(&mut cut, (1, at + 1, at + 1), seen);
        said.extend(found.iter().map(|alarm| (alarm.alarm, alarm.over, at + 1)));
    }
    assert_eq!((uncut, state), (said, cut));
}

#[test]
fn answers_show_silent_channels_and_equal_rows() {
    let answers = |logits: &[f32]| Answers::of(logits.to_vec(), vec![0; logits.len() / 2], 2);
    let seen = |logits: &[f32]| Observation::of(&answers(logits), 1.0, None);
    let both = seen(&[0.0, 1.0, 0.0, 2.0]);
    assert_eq!((both.silent, both.alike, both.images), (vec![true, false], false, 2));
    let equal = seen(&[0.5, 1.0, 0.5, 1.0]);
    assert_eq!((equal.silent, equal.alike), (vec![false, false], true));
    // A single image proves nothing.
    assert!(!seen(&[0.0, 0.0]).alike);
}

#[test]
fn an_alarm_says_what_it_knows_and_no_more() {
    let sentinel = sentinel(STEPS_PER_EPOCH);
    let mut state = SentinelState::default();
    let mut lines = Vec::new();
    for step in 1..=140 {
        for alarm in sentinel.observe(&mut state, (1, step, step), &dead()) {
            assert!(alarm.hint().is_some());
            lines.push(alarm.to_string());
        }
    }
    assert!(lines[0].starts_with("10 of 10 classes are silent (class 0, "), "{}", lines[0]);
    assert!(lines[1].ends_with("the gradient is exactly 0: no weight moves again"), "{}", lines[1]);
    assert!(lines[2].contains("may end"), "{}", lines[2]);
}
