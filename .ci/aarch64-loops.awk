# Reads `aarch64-linux-gnu-objdump -d -C --no-show-raw-insn` and checks the innermost loops of the NEON kernels: every one
# that multiplies has fused multiply-adds alone, and touches no stack, where spilled registers would be.

function check_loop(from, to,    i, fused, products, sums, apart, spilled) {
  for (i = from; i <= to; i++) {
    if (name[i] == "fmla") fused++
    if (name[i] == "fmul") products++
    if (name[i] == "fadd") sums++
    if (operands[i] ~ /\[sp/ || operands[i] ~ /\[x29/) spilled++
  }
  apart = products + sums
  # Without both, the loop adds or scales, and has nothing to fuse.
  if (fused == 0 && !(products && sums)) return
  loops++
  multiplies += fused
  if (fused > most) most = fused
  if (apart + spilled == 0) return
  bad++
  printf "error: %s: a loop of %d instructions at %s has %d fmla, %d fmul or fadd, %d accesses to the stack\n",
    kernel, to - from + 1, address[from], fused, apart, spilled
}

function check_function(    i, j, target, inner) {
  # A loop ends in a branch backwards. It is innermost if no other one starts and ends inside.
  for (i = 1; i <= count; i++) {
    if (name[i] !~ /^(b|b\..*|cbn?z|tbn?z)$/) continue
    target = operands[i]
    sub(/ <.*/, "", target)
    sub(/.*[ ,\t]/, "", target)
    if (!(target in line) || line[target] > i) continue
    starts[++ends] = line[target]
    stops[ends] = i
  }
  for (i = 1; i <= ends; i++) {
    inner = 1
    for (j = 1; j <= ends; j++)
      if (j != i && starts[j] >= starts[i] && stops[j] <= stops[i]) inner = 0
    if (inner) check_loop(starts[i], stops[i])
  }
}

function finish() {
  if (kernel != "") check_function()
  delete name; delete operands; delete address; delete line; delete starts; delete stops
  count = ends = 0
  kernel = ""
}

/^[0-9a-f]+ <.*>:$/ {
  finish()
  if ($0 ~ /neon::enter/ && $0 ~ hot) {
    kernel = $0
    functions++
  }
  next
}

kernel != "" && /^ *[0-9a-f]+:\t/ {
  split($0, parts, "\t")
  count++
  address[count] = parts[1]
  gsub(/[ :]/, "", address[count])
  line[address[count]] = count
  name[count] = parts[2]
  operands[count] = parts[3]
}

END {
  finish()
  printf "%d kernels, %d innermost loops that multiply, %d fmla, at most %d in a loop\n",
    functions, loops, multiplies, most
  if (functions < expected || most < tile) {
    printf "error: expected %d kernels and a loop of %d fmla\n", expected, tile
    bad++
  }
  exit bad > 0
}
