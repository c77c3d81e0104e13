// The WebAssembly and the other parts that the file carries.

// A module with one instruction of 128-bit SIMD.
const SIMD = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11]);

// Returns the problem of a browser that cannot run the page, or null.
export function missing() {
  const hint = "open this page with a current version of Firefox, Chrome, Edge or Safari";
  if (typeof WebAssembly !== "object") return { detail: "this browser does not run WebAssembly", hint };
  if (!WebAssembly.validate(SIMD)) return { detail: "this browser does not run WebAssembly with 128-bit SIMD", hint };
  if (typeof DecompressionStream !== "function") return { detail: "this browser cannot unpack gzip", hint };
  return null;
}

// Returns the bytes of a gzipped part of the file, once: the text goes away.
export async function unpacked(id) {
  const place = document.getElementById(id);
  const text = atob(place.textContent.trim());
  place.remove();
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = text.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Returns the functions of a compiled program, in memory of their own.
export async function instantiate(program) {
  // Libraries name functions that the program never calls.
  const imports = {};
  for (const { module, name } of WebAssembly.Module.imports(program)) {
    (imports[module] ??= {})[name] = () => { throw new Error(`${module}.${name} is not there`); };
  }
  return (await WebAssembly.instantiate(program, imports)).exports;
}

// Calls a function, which takes a file unless that is null. Returns the bytes of its answer, or throws the problem.
export function bytesOf({ memory, ...program }, name, file, ...numbers) {
  const given = [];
  if (file) {
    const address = program.nin_allocate(file.length);
    new Uint8Array(memory.buffer, address >>> 0, file.length).set(file);
    given.push(address, file.length);
  }
  const succeeded = program[name](...given, ...numbers);
  const answer = new Uint8Array(memory.buffer, program.nin_answer() >>> 0, program.nin_answer_length()).slice();
  if (!succeeded) throw JSON.parse(new TextDecoder().decode(answer));
  return answer;
}

// As bytesOf; returns the JSON of the answer, or null if it is empty.
export function call(program, name, file, ...numbers) {
  const answer = bytesOf(program, name, file, ...numbers);
  return answer.length ? JSON.parse(new TextDecoder().decode(answer)) : null;
}
