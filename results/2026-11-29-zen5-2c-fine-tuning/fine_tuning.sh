#!/usr/bin/env bash
# Fine-tuning from pretrained:record-fashion-mnist next to the same network from scratch: 200 training pictures of
# ten letters, 28x28, the same recipe and the same 20 epochs, three seeds. From scratch, three learning rates are
# tried. 200 validation pictures choose the checkpoint; 800 pictures in typefaces that none of the others have test it.
# One line per run: its name, its seed, the best checkpoint's accuracy on the test pictures.
# usage: fine_tuning.sh NIN-CLI LETTERS FOLDER
#   LETTERS is what `python3 benches/pictures/draw_letters.py LETTERS` draws.
set -euo pipefail
nin=$1 letters=$2 folder=$3
here=$(cd "$(dirname "$0")" && pwd)
for part in train:20 val:20 test:1000; do
  for class in "$letters/${part%:*}"/*/; do
    into="$folder/data/${part%:*}/$(basename "$class")"
    mkdir -p "$into"
    find "$class" -type f | LC_ALL=C sort | sed -n "1,${part#*:}p" | xargs cp -t "$into"
  done
done
run() {
  local name=$1 seed=$2; shift 2
  "$nin" train --config "$here/letters.toml" --data "$folder/data" --dataset letters --run "$folder/$name-$seed" --seed "$seed" \
    --no-report --progress none --backend flex --format json "$@" > "$folder/$name-$seed.json" 2> "$folder/$name-$seed.log"
  python3 - "$name" "$seed" "$folder/$name-$seed.json" <<'PYTHON'
import json, sys
name, seed, path = sys.argv[1:]
print(json.dumps({"run": name, "seed": int(seed), "test_accuracy": json.load(open(path))["test"]["accuracy"]}))
PYTHON
}
for seed in 1 2 3; do
  run fine-tuned-0.001 "$seed" --weights pretrained:record-fashion-mnist
  for rate in 0.0003 0.001 0.003; do run "scratch-$rate" "$seed" --learning-rate "$rate"; done
done
