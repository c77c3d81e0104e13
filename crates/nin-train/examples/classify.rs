//! Classifies picture files with a trained network.
//!
//! ```text
//! cargo run --release -p nin-train --example classify -- weights/record-fashion-mnist.safetensors \
//!     docs/clothes/trouser.png
//! ```

use std::error::Error;

use burn_flex::{Flex, FlexDevice};
use nin_train::Predictor;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let checkpoint = arguments.next().ok_or("pass a run, a checkpoint or a .safetensors file")?;
    let predictor = Predictor::<Flex>::open(checkpoint.as_ref(), &FlexDevice)?.without_maps();
    for path in arguments {
        let prediction = predictor.predict_file(path.as_ref())?;
        println!("{}", path.display());
        for class in prediction.top(3) {
            let percent = prediction.probabilities[class] * 100.0;
            println!("  {:<12} {percent:>6.2} %", predictor.classes()[class]);
        }
    }
    Ok(())
}
