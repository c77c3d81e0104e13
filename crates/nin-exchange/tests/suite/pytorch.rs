//! Weights under PyTorch's names: export, import and errors.

use nin_exchange::pytorch::{GENERATED, from_ours, module, names, to_ours};
use nin_model::{Builtin, HostTensor, Initialization, Weights};

use crate::onnx::{metadata, mixed};

#[test]
fn names_match_the_books_sequential() {
    let architecture = Builtin::D2l.architecture(1, 10).unwrap();
    let names = names(&architecture);
    assert_eq!(names.len(), 24);
    for (ours, theirs) in [
        ("blocks.0.convolution.weight", "0.0.weight"),
        ("blocks.0.cccp2.bias", "0.4.bias"),
        ("blocks.1.convolution.weight", "2.0.weight"),
        ("blocks.2.cccp1.weight", "4.2.weight"),
        ("blocks.3.convolution.bias", "7.0.bias"), // after the third pool and the dropout
    ] {
        assert!(names.contains(&(ours.to_owned(), theirs.to_owned())), "{ours} is not {theirs}");
    }
}

fn renamed(weights: &Weights, rename: impl Fn(&str) -> String) -> Weights {
    weights.iter().map(|(name, tensor)| (rename(name), tensor.clone())).collect()
}

#[test]
fn weights_round_trip_under_every_naming() {
    let architecture = mixed();
    let weights = Initialization::Kaiming.weights(&architecture, 5);
    let named = from_ours(&architecture, &weights).unwrap();
    assert!(named.get("3.0.weight").is_some(), "pool and dropout count");
    assert_eq!(to_ours(&architecture, &named).unwrap(), weights);
    assert_eq!(to_ours(&architecture, &weights).unwrap(), weights);
    let prefixed = renamed(&named, |name| format!("net.{name}"));
    assert_eq!(to_ours(&architecture, &prefixed).unwrap(), weights);
}

#[test]
fn errors_name_tensors_as_the_file_does() {
    let architecture = mixed();
    let weights = Initialization::Kaiming.weights(&architecture, 5);
    let named = from_ours(&architecture, &weights).unwrap();
    let refused = |change: &dyn Fn(&mut Weights)| {
        let mut changed = named.clone();
        change(&mut changed);
        to_ours(&architecture, &changed).unwrap_err().to_string()
    };
    let one = HostTensor { shape: vec![1], values: vec![0.0] };
    let extra = refused(&|weights| weights.insert("9.0.weight", one.clone()));
    assert_eq!(extra, "tensor `9.0.weight` belongs to no layer of the architecture `mixed`");
    let shape = refused(&|weights| weights.insert("0.0.bias", one.clone()));
    assert_eq!(shape, "tensor `0.0.bias` has shape [1], expected [6]");
    let not_finite = HostTensor { shape: vec![6], values: vec![f32::NAN; 6] };
    let nan = refused(&|weights| weights.insert("0.0.bias", not_finite.clone()));
    assert!(nan.contains("holds NaN"), "{nan}");
    let missing = refused(&|weights| {
        *weights = weights
            .iter()
            .filter(|(name, _)| *name != "5.4.bias")
            .map(|(name, tensor)| (name.to_owned(), tensor.clone()))
            .collect();
    });
    assert_eq!(missing, "tensor `5.4.bias` is missing");
    assert_eq!(
        to_ours(&architecture, &Weights::new()).unwrap_err().to_string(),
        "tensor `0.0.weight` is missing"
    );
}

#[test]
fn the_module_has_one_line_per_layer() {
    let text = module(&metadata(mixed()), "it's.safetensors");
    assert!(text.starts_with(GENERATED));
    for line in [
        "        nin_block(2, (6, 5, 4), kernel_size=5, stride=2, padding=2),",
        "        nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=False),",
        "        nn.Dropout(0.5),",
        "        nn.MaxPool2d(3, stride=2, padding=0, ceil_mode=True),",
        "        nin_block(3, (5, 3, 3), kernel_size=3, stride=1, padding=1),",
        r#"CLASSES = ["\"class\" 0", "\"class\" 1", "\"class\" 2"]"#,
        r#"def load(weights=Path(__file__).with_name("it's.safetensors")):"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
    }
}
