//! Recipes, and keys overridden on the command line.

use std::fs;
use std::path::Path;

use super::Case;

/// Runs `train` with a recipe of this text.
fn text(text: impl AsRef<[u8]> + 'static, expected: &[&'static str]) -> Case {
    let prepare = move |folder: &Path| fs::write(folder.join("my.toml"), &text).unwrap();
    Case::after(prepare, &["train", "--config", "my.toml"], expected)
}

/// Runs `train` with one key overridden.
fn set(assignment: &'static str, expected: &[&'static str]) -> Case {
    Case::new(&["train", "--set", assignment], expected)
}

/// Runs `shapes` on a network with one block, whose TOML table is this.
fn block(inside: &str, expected: &[&'static str]) -> Case {
    let recipe = format!("[model]\narchitecture = \"mine\"\nblocks = [{{{inside}}}]\n");
    let prepare = move |folder: &Path| fs::write(folder.join("my.toml"), &recipe).unwrap();
    Case::after(prepare, &["shapes", "--config", "my.toml"], expected)
}

#[expect(clippy::too_many_lines, reason = "it is a table")]
pub(super) fn cases() -> Vec<Case> {
    vec![
        text(
            "[optimizer]\nlearning-rate = 0.1",
            &[
                "unknown key `optimizer.learning-rate` in `my.toml`",
                "did you mean `optimizer.learning_rate`?",
            ],
        ),
        text(
            "epochs = 3",
            &["unknown key `epochs` in `my.toml`", "did you mean `training.epochs`?"],
        ),
        text(
            "[optimiser]\nkind = \"sgd\"",
            &["unknown key `optimiser`", "did you mean `optimizer`?"],
        ),
        text(
            "[training]\nepochs = \"ten\"",
            &["`training.epochs` in `my.toml` is a string (\"ten\"), expected an integer"],
        ),
        text(
            "[training]\nepochs = 1.5",
            &["`training.epochs` in `my.toml` is a float (1.5), expected an integer"],
        ),
        text("training = 3", &["`training` in `my.toml` is an integer (3), expected a table"]),
        text(
            "[model]\nblocks = 3",
            &["`model.blocks` in `my.toml` is an integer (3), expected an array"],
        ),
        text(
            "[training]\nepochs = 3\nepochs = 4",
            &["`my.toml` is not TOML: line 3", "duplicate key"],
        ),
        text("[training\nepochs = 3", &["`my.toml` is not TOML: line 1"]),
        text(b"\xff\xfe[training]", &["the recipe `my.toml` is not valid UTF-8 at byte 0"]),
        text("[training]\nepochs = 99999999999999999999", &["`my.toml` is not TOML: line 2"]),
        text(
            "[training]\nepochs = 9223372036854775807",
            &["`training.epochs` is `9223372036854775807`, expected at most 1000000"],
        ),
        text(
            "[training]\nseed = -1",
            &["`training.seed` is `-1`, expected a whole number, 0 or more"],
        ),
        text(
            vec![b'#'; 2 << 20],
            &["the recipe `my.toml` has 2097152 bytes, expected at most 1048576"],
        ),
        text("[".repeat(100_000), &["`my.toml` is not TOML: line 1"]),
        text(
            format!("model = {}{}", "{a=".repeat(30_000), "}".repeat(30_000)),
            &["`my.toml` is not TOML"],
        ),
        Case::new(
            &["train", "--config", "/dev/zero"],
            &["the recipe `/dev/zero` has", "expected at most 1048576"],
        ),
        Case::new(
            &["train", "--config", "nowhere.toml"],
            &["cannot read the recipe `nowhere.toml`", "No such file"],
        ),
        Case::new(
            &["train", "--config", "quickstrat"],
            &["no recipe `quickstrat`", "did you mean `quickstart`?"],
        ),
        Case::new(&["train", "--config", "."], &["cannot read the recipe `.`", "Is a directory"]),
        Case::new(&["shapes", "--config", "resnet"], &["no recipe `resnet`"]),
        Case::new(&["train", "--epochs", "0"], &["`training.epochs` is `0`, expected at least 1"]),
        Case::new(
            &["train", "--epochs", "-1"],
            &["`training.epochs` is `-1`, expected a whole number, 1 or more"],
        ),
        set(
            "training.epochs=-1",
            &["`training.epochs` is `-1`, expected a whole number, 1 or more"],
        ),
        set("data.limit=-3", &["`data.limit` is `-3`, expected a whole number, 0 or more"]),
        set(
            "optimizer.lr=0.1",
            &["unknown key `optimizer.lr` in `--set`", "did you mean `optimizer.learning_rate`?"],
        ),
        set("lr=0.1", &["unknown key `lr` in `--set`", "did you mean `optimizer.learning_rate`?"]),
        set("model.dropout=0.5", &["unknown key `model.dropout`", "did you mean `model.blocks`?"]),
        set(
            "optimizer.nesterov=true",
            &["unknown key `optimizer.nesterov`", "docs/recipe.md describes them"],
        ),
        text(
            "[lr_scheduler]\nkind = \"cosine\"",
            &["unknown key `lr_scheduler`", "did you mean `schedule`?"],
        ),
        Case::new(
            &["train", "--batch-size", "0"],
            &["`training.batch_size` is `0`, expected at least 1"],
        ),
        Case::new(
            &["train", "--batch-size", "1000000"],
            &["`training.batch_size` is `1000000`, expected at most 65536"],
        ),
        Case::new(
            &["train", "--learning-rate", "-0.1"],
            &["`optimizer.learning_rate` is `-0.1`, expected a finite number above 0"],
        ),
        Case::new(
            &["train", "--learning-rate", "0"],
            &["`optimizer.learning_rate` is `0`, expected a finite number above 0"],
        ),
        Case::new(
            &["train", "--learning-rate", "NaN"],
            &["`optimizer.learning_rate` is `NaN`, expected a finite number above 0"],
        ),
        Case::new(
            &["train", "--learning-rate", "inf"],
            &["`optimizer.learning_rate` is `inf`, expected a finite number above 0"],
        ),
        set(
            "optimizer.momentun=0.9",
            &["unknown key `optimizer.momentun` in `--set`", "did you mean `optimizer.momentum`?"],
        ),
        set(
            "optimizer.momentum=fast",
            &["`optimizer.momentum` in `--set` is a string (\"fast\"), expected a float"],
        ),
        set(
            "optimizer.momentum=1",
            &["`optimizer.momentum` is `1`, expected at least 0 and less than 1"],
        ),
        set(
            "optimizer.bias_rate=0",
            &["`optimizer.bias_rate` is `0`, expected a finite number above 0"],
        ),
        set("optimizer.clip_norm=-1", &["`optimizer.clip_norm` is `-1`, expected 0 to"]),
        set("training.ema_decay=1", &["`training.ema_decay` is `1`, expected at least 0 and less"]),
        set("preprocessing.normalization=pixels", &["pixels", "expected one of"]),
        set(
            "preprocessing.whitening=zca",
            &["`preprocessing.whitening` in `--set` is a string (\"zca\"), expected a boolean"],
        ),
        set(
            "preprocessing.whitening_bias=0",
            &["`preprocessing.whitening_bias` is `0`, expected 0.000001 to 1000000"],
        ),
        set("optimizer.kind=adam", &["adam", "expected"]),
        set("optimizer.weight_decay=-1", &["`optimizer.weight_decay` is `-1`, expected 0 to 1"]),
        set("training.precision=fp64", &["fp64", "expected"]),
        Case::new(
            &["bench", "--compare", "pytorch", "--backend", "flex", "--python", "no-such-python"],
            &["cannot run `no-such-python`", "NIN_PYTHON"],
        ),
        Case::new(
            &[
                "bench",
                "--compare",
                "openvino",
                "--backend",
                "flex",
                "--set",
                "training.precision=bf16",
            ],
            &["openvino is compared in fp32 only", "--compare pytorch"],
        ),
        set(
            "nonsense",
            &[
                "`nonsense` is not KEY=VALUE",
                "for example: optimizer.momentum=0.9 (--set KEY=VALUE)",
            ],
        ),
        set("=3", &["`=3` is not KEY=VALUE"]),
        set("data.input_size=1000000", &["`data.input_size` is `1000000`, expected at most 4096"]),
        set("model.initialization=zeros", &["unknown initialization `zeros`", "xavier"]),
        Case::new(
            &["train", "--set", "model.architecture=resnet", "--set", "model.blocks=[]"],
            &["unknown architecture `resnet`", "built-in architectures: d2l"],
        ),
        Case::new(
            &[
                "train",
                "--config",
                "d2l-fashion-mnist",
                "--dataset",
                "fashion-mnist-sample",
                "--set",
                "data.input_size=60",
            ],
            &["input 1x60x60 is too small", "the smallest square input that works is 67x67"],
        ),
        Case::new(
            &["shapes", "--config", "d2l", "--input", "1x60x60"],
            &["input 1x60x60 is too small", "67x67"],
        ),
        Case::new(
            &["shapes", "--config", "d2l", "--input", "1x0x28"],
            &["input 1x0x28 is too small"],
        ),
        Case::new(
            &["shapes", "--config", "d2l", "--input", "3x224x224"],
            &["input has 3 channels, the network expects 1"],
        ),
        Case::new(
            &["shapes", "--config", "d2l", "--input", "1x4294967295x4294967295"],
            &["overflow"],
        ),
        block(
            "kernel = -3, widths = [4, 4, \"classes\"]",
            &["integer `-3`, expected a whole number, 0 or more in `model.blocks"],
        ),
        block(
            "kernel = 3, widths = [4, -4, \"classes\"]",
            &["expected a number of channels or `\"classes\"` in `model.blocks"],
        ),
        block("kernel = 0, widths = [4, 4, \"classes\"]", &["block 1: kernel is `0`"]),
        block("kernel = 3, stride = 0, widths = [4, 4, \"classes\"]", &["block 1: stride is `0`"]),
        block(
            "kernel = 3, padding = 3, widths = [4, 4, \"classes\"]",
            &["block 1: padding is `3`"],
        ),
        block("kernel = 3, widths = [4, 0, \"classes\"]", &["block 1: widths is `0`"]),
        block(
            "kernel = 3, widths = [4, 4, 9223372036854775807]",
            &["block 1: widths is `9223372036854775807`"],
        ),
        block(
            "kernel = 3, widths = [4, 4, 7]",
            &["block 1: third of `widths` is `7`, expected the number of classes"],
        ),
        block(
            "kernel = 3, widths = [4, \"classes\"]",
            &["invalid length 2, expected an array of length 3", "in `model.blocks"],
        ),
        block(
            "kernel = 3, dropout = 1.0, widths = [4, 4, \"classes\"]",
            &["block 1: dropout is `1`"],
        ),
        block(
            "kernel = 3, widths = [4, 4, \"classes\"], pool = { kernel = 2, stride = 2, padding = 2 }",
            &["block 1: pool.padding is `2`"],
        ),
        block("kernel = 3, width = [4, 4, 4]", &["width"]),
        block("kernel = 255, widths = [65536, 65536, \"classes\"]", &["parameters overflow"]),
    ]
}
