// Connects the inputs of the page with the answer.
import { showAnswer } from "/answer.js";
import { connectCamera } from "/camera.js";
import { connectDrawing } from "/drawing.js";
import { connectFiles, fillGallery } from "/inputs.js";

const element = id => document.getElementById(id);
const STOPPED = {
  detail: "The server does not respond.",
  hint: "It may have been stopped: start it again with nin-cli serve.",
};

const MOST_SHOWN = 20; // classes, because hundreds of them are unreadable

let model;
let asked = 0;
let last;

// Sends a request. Returns the JSON, or throws a problem (RFC 9457) to show.
async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw STOPPED;
  }
  const content = await response.json().catch(() => null);
  if (response.ok && content) return content;
  throw content ?? { detail: `The server answered ${response.status}.`, hint: "" };
}

// `name` is the picture's name, if there is one.
function showProblem(problem, again, name) {
  const place = element("problem");
  const line = (text, kind) => {
    const made = document.createElement("p");
    made.textContent = text;
    if (kind) made.className = kind;
    return made;
  };
  const sentence = text => text[0].toUpperCase() + text.slice(1) + (text.endsWith(".") ? "" : ".");
  const sentences = [problem.detail, problem.hint].filter(Boolean).map(text => line(sentence(text)));
  place.replaceChildren(...(name ? [line(`${name}: no answer`, "name")] : []), ...sentences);
  if (again) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Try again";
    button.addEventListener("click", again);
    place.append(button);
  }
  place.hidden = false;
}

async function learnModel() {
  model = await ask("/v1/model");
  const [channels, height, width] = model.input;
  const kind = channels === 1 ? "grey" : "colour";
  element("about").textContent = `The network ${model.architecture} (${model.parameters.toLocaleString("en")} parameters) `
    + `distinguishes ${model.classes.length} classes of ${model.dataset}, takes ${width}×${height} ${kind} images and runs on ${model.device}.`;
  element("version").textContent = model.version;
  fillGallery(model.gallery, classify, showProblem);
}

// Scrolls to the answer if it is below the picture.
function showToReader() {
  if (matchMedia("(min-width: 52rem)").matches) return;
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  element("answer").scrollIntoView({ behavior: isCalm ? "auto" : "smooth" });
}

// Sends a picture and shows the answer, unless a later picture was sent. While drawing, the page does not scroll.
async function classify(picture, name, isDrawing = false) {
  const turn = ++asked;
  last = [picture, name, isDrawing];
  const status = element("status");
  status.textContent = "Classifying …";
  status.classList.remove("told");
  element("result").classList.add("stale");
  try {
    if (!model) await learnModel();
    const answer = await ask(`/v1/predict?top=${MOST_SHOWN}`, { method: "POST", body: picture });
    if (turn !== asked) return;
    element("problem").hidden = true;
    await showAnswer(picture, answer.images[0], model);
    if (turn !== asked) return;
    const { class: answered, top: [first] } = answer.images[0];
    const share = `${(first.probability * 100).toFixed(1)} %`;
    const isUnknown = model.threshold !== null && first.probability < model.threshold;
    const said = isUnknown ? `${answered}; the best guess is ${first.class}, ${share}` : `${first.class}, ${share}`;
    const more = model.classes.length - answer.images[0].top.length;
    status.textContent = `${name}: ${said}.` + (more > 0 ? ` ${more} less likely classes are not shown.` : "");
    status.classList.add("told");
    if (!isDrawing) showToReader();
  } catch (problem) {
    if (turn !== asked) return;
    element("result").hidden = true;
    status.textContent = "";
    if (!problem.detail) console.error(problem);
    const again = problem === STOPPED && (() => classify(...last));
    showProblem(problem.detail ? problem : { detail: String(problem) }, again, name);
    if (!isDrawing) showToReader();
  }
  element("result").classList.remove("stale");
}

connectFiles(classify);
connectDrawing(classify);
const camera = connectCamera(classify);
for (const choice of document.querySelectorAll("input[name=source]")) {
  choice.addEventListener("change", () => {
    for (const source of ["file", "draw", "camera"]) element(`source-${source}`).hidden = source !== choice.value;
    if (choice.value !== "camera") camera.stop();
  });
}
// Fades the edge of a table that scrolls to the right.
const wide = document.querySelector(".wide");
const tellMore = () => wide.classList.toggle("more", wide.scrollLeft + wide.clientWidth < wide.scrollWidth - 1);
wide.addEventListener("scroll", tellMore, { passive: true });
const resized = new ResizeObserver(tellMore);
resized.observe(wide);
resized.observe(element("values"));
learnModel().catch(problem => showProblem(problem, () => location.reload()));
