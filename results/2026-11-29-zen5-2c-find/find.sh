#!/usr/bin/env bash
# A search for a recipe on two data sets, and the test accuracy of the recipe and of the found one, each tested once.
#
#   results/2026-11-29-zen5-2c-find/find.sh NIN_CLI LETTERS OUTPUT
#
# LETTERS is a folder of benches/pictures/draw_letters.py, whose test part has unseen typefaces.
set -euo pipefail
nin=$1 letters=$2 output=$3
mkdir -p "$output"
flags=(--backend flex --progress none)

"$nin" find --epochs 16 --data "$letters" --run "$output/letters" "${flags[@]}" --format json > "$output/letters.json"
"$nin" train --config pictures --epochs 16 --data "$letters" --run "$output/letters-recipe" "${flags[@]}"
"$nin" train --config "$output/letters/found.toml" --data "$letters" --run "$output/letters-found" "${flags[@]}"

"$nin" find --run "$output/clothes" "${flags[@]}" --format json > "$output/clothes.json"
"$nin" train --run "$output/clothes-recipe" "${flags[@]}"
"$nin" train --config "$output/clothes/found.toml" --run "$output/clothes-found" "${flags[@]}"
