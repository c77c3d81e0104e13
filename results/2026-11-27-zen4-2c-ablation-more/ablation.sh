#!/usr/bin/env bash
# Where the dropout stands: the setting of ../2026-11-24-zen4-2c-ablation/ablation.sh, the steady recipe, and the
# book's network with its dropout of 0.5 behind the third block (the book's), behind the second, behind every
# block, or nowhere. Seeds 1 and 2.
# usage: ablation.sh NIN-CLI FOLDER
set -euo pipefail
nin=$1 folder=$2
mkdir -p "$folder"
recipe() { # the dropout behind the first, second and third block
  cat <<TOML
[model]
architecture = "dropout"
initialization = "lsuv-open"
[[model.blocks]]
kernel = 11
stride = 4
widths = [96, 96, 96]
pool = { kernel = 3, stride = 2 }
dropout = $1
[[model.blocks]]
kernel = 5
padding = 2
widths = [256, 256, 256]
pool = { kernel = 3, stride = 2 }
dropout = $2
[[model.blocks]]
kernel = 3
padding = 1
widths = [384, 384, 384]
pool = { kernel = 3, stride = 2 }
dropout = $3
[[model.blocks]]
kernel = 3
padding = 1
widths = ["classes", "classes", "classes"]
[data]
dataset = "fashion-mnist"
input_size = 96
limit = 6000
held_out = 5000
[optimizer]
kind = "adamw"
learning_rate = 0.001
weight_decay = 0.01
[schedule]
kind = "cosine"
warmup_steps = 50
[training]
epochs = 3
batch_size = 128
TOML
}
run() {
  local name=$1; shift
  recipe "$@" > "$folder/$name.toml"
  for seed in 1 2; do
    "$nin" train --config "$folder/$name.toml" --run "$folder/$name-seed$seed" --seed "$seed" --no-report \
      --progress plain > "$folder/$name-seed$seed.log" 2>&1 || echo "$name: exit $?"
  done
}
run dropout-third 0.0 0.0 0.5
run dropout-second 0.0 0.5 0.0
run dropout-every 0.5 0.5 0.5
run dropout-nowhere 0.0 0.0 0.0
"$nin" compare "$folder"/dropout-*-seed? --format json > "$folder/compared.json"
