#!/usr/bin/env bash
# What mixup and CutMix do to the record recipe's network: its recipe, trained on the first 6,000 images for three epochs
# (warm-up 30 steps, as so few want it), tested on 5,000 images held out of the training set. One run a line, seed 1.
# The program was built from the tree that became commit 31d7310; environment.json names the one before.
# usage: mixing.sh NIN-CLI FOLDER
set -euo pipefail
nin=$1 folder=$2
run() {
  local name=$1; shift
  local settings=(); for setting in "$@"; do settings+=(--set "$setting"); done
  "$nin" train --config record-fashion-mnist --run "$folder/$name" --epochs 3 --no-report --progress plain --backend flex \
    --set training.seed=1 --set data.limit=6000 --set data.held_out=5000 --set schedule.warmup_steps=30 "${settings[@]}" > "$folder/$name.log" 2>&1
  grep -E '^epoch [0-9]+/[0-9]+: ' "$folder/$name.log" | sed -E "s|^|$name |"
}
run record
run record-mixup-0.2 augmentation.mixup=0.2
run record-cutmix-1 augmentation.cutmix=1
run record-both augmentation.mixup=0.2 augmentation.cutmix=1
