// Connects the inputs of the page with the answer.
import { showAnswer } from "/answer.js";
import { connectCamera } from "/camera.js";
import { connectDrawing } from "/drawing.js";
import { connectFiles, fillGallery } from "/inputs.js";
import { STOPPED, classify, describe } from "/network.js";

const element = id => document.getElementById(id);
const MOST_SHOWN = 20; // classes, because hundreds of them are unreadable

let model;
let asked = 0;
let last;

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
  model = await describe();
  const [channels, height, width] = model.input;
  const kind = channels === 1 ? "grey" : "colour";
  element("about").textContent = `The network ${model.architecture} (${model.parameters.toLocaleString("en")} parameters) `
    + `distinguishes ${model.classes.length} classes of ${model.dataset}, takes ${width}×${height} ${kind} images and runs on ${model.device}.`;
  element("version").textContent = model.version;
  fillGallery(model.gallery, answer, showProblem);
}

// Scrolls to the answer if it is below the picture.
function showToReader() {
  if (matchMedia("(min-width: 52rem)").matches) return;
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  element("answer").scrollIntoView({ behavior: isCalm ? "auto" : "smooth" });
}

// Classifies a picture and shows the answer, unless a later picture follows. While drawing, the page does not scroll.
async function answer(picture, name, isDrawing = false) {
  const turn = ++asked;
  last = [picture, name, isDrawing];
  const status = element("status");
  status.textContent = "Classifying …";
  status.classList.remove("told");
  element("result").classList.add("stale");
  try {
    if (!model) await learnModel();
    const { images: [image] } = await classify(picture, MOST_SHOWN);
    if (turn !== asked) return;
    element("problem").hidden = true;
    await showAnswer(picture, image, model);
    if (turn !== asked) return;
    const { class: answered, top: [first] } = image;
    const share = `${(first.probability * 100).toFixed(1)} %`;
    const isUnknown = model.threshold !== null && first.probability < model.threshold;
    const said = isUnknown ? `${answered}; the best guess is ${first.class}, ${share}` : `${first.class}, ${share}`;
    const more = model.classes.length - image.top.length;
    status.textContent = `${name}: ${said}.` + (more > 0 ? ` ${more} less likely classes are not shown.` : "");
    status.classList.add("told");
    if (!isDrawing) showToReader();
  } catch (problem) {
    if (turn !== asked) return;
    element("result").hidden = true;
    status.textContent = "";
    if (!problem.detail) console.error(problem);
    const again = problem === STOPPED && (() => answer(...last));
    showProblem(problem.detail ? problem : { detail: String(problem) }, again, name);
    if (!isDrawing) showToReader();
  }
  element("result").classList.remove("stale");
}

connectFiles(answer);
connectDrawing(answer);
const camera = connectCamera(answer);
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
