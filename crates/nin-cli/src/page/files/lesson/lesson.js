// The lesson: a training with its curves and maps, and two draws of initial weights.
import { Curve } from "/curves.js";
import { connectSeen } from "/seen.js";
import { begin } from "/training.js";
import { missing } from "/wasm.js";

const element = id => document.getElementById(id);
const lesson = JSON.parse(element("description").textContent);
const CHANCE = Math.log(lesson.settings.classes.length); // the loss of equal logits
const LOSS = { most: 3, marks: [0, 1, 2, 3], isSmooth: true, text: "Loss" };
const LOOKS_PER_EPOCH = 4;

const inEpoch = Math.ceil(lesson.counts.train / lesson.settings.batch_size);
const settings = changes => ({ ...lesson.settings, ...changes, optimizer: { ...lesson.settings.optimizer, ...changes.optimizer } });

function showProblem({ problem }) {
  const place = element("problem");
  const line = text => {
    const made = document.createElement("p");
    made.textContent = text[0].toUpperCase() + text.slice(1) + (text.endsWith(".") ? "" : ".");
    return made;
  };
  place.replaceChildren(...[problem.detail, problem.hint].filter(Boolean).map(line));
  place.hidden = false;
}

function fillLayers() {
  const cell = (kind, text, scope) => {
    const made = document.createElement(kind);
    made.textContent = text;
    if (scope) made.scope = scope;
    return made;
  };
  const row = ({ name, output, parameters }) => {
    const made = document.createElement("tr");
    made.append(cell("th", name, "row"), cell("td", output.slice(1).join(" × ")), cell("td", parameters.toLocaleString("en")));
    return made;
  };
  element("layers").replaceChildren(...lesson.layers.map(row));
}

// The rate of the slider, which is logarithmic.
const rate = () => Number((10 ** Number(element("rate").value)).toPrecision(2));
function connectSettings() {
  element("rate").value = Math.log10(lesson.settings.optimizer.learning_rate);
  element("seed").value = lesson.settings.seed;
  const options = lesson.initializations.map(name => new Option(name, name, false, name === lesson.settings.initialization));
  element("initialization").replaceChildren(...options);
  const show = () => { element("rate-shown").textContent = rate(); };
  element("rate").addEventListener("input", show);
  show();
}

// The main training.
async function connectTraining(showSeen) {
  const loss = new Curve(element("loss"), LOSS);
  const accuracy = new Curve(element("accuracy"), { most: 1, marks: [0, 0.5, 1], text: "Accuracy on test images" });
  const [train, restart, save, status] = ["train", "restart", "save", "status"].map(element);
  const steps = lesson.settings.epochs * inEpoch;
  let training, state = "new", lastMs, score;

  const say = taken => {
    const at = `Step ${taken} of ${steps}, epoch ${Math.max(1, Math.ceil(taken / inEpoch))} of ${lesson.settings.epochs}`;
    const tested = score ? `: ${(score.accuracy * 100).toFixed(1)} % of ${score.images} test images are right` : "";
    const speed = lastMs && state === "running" ? `. ${lastMs.toFixed(0)} ms a step, ${Math.ceil((steps - taken) * lastMs / 1000)} s left` : "";
    status.textContent = `${at}${tested}${speed}.`;
  };
  const enter = next => {
    state = next;
    train.textContent = { new: "Train", running: "Pause", paused: "Resume", finished: "Train" }[next];
    train.disabled = next === "finished";
    restart.disabled = next === "new";
    save.disabled = next === "new";
    for (const id of ["rate", "initialization", "seed"]) element(id).disabled = next !== "new";
  };
  const hear = {
    steps({ taken, points, ms }) {
      points.forEach((point, at) => loss.add(taken - points.length + at + 1, point.loss));
      loss.draw();
      lastMs = ms;
      say(taken);
    },
    seen({ taken, score: found, images }) {
      score = found;
      accuracy.add(taken, found.accuracy);
      accuracy.draw();
      showSeen(images);
      const { closed } = found;
      element("closed").textContent = closed ? `${closed} of ${lesson.settings.classes.length} classes are closed: their logit is 0 for every test image.` : "Every class is open.";
      say(taken);
    },
    paused: ({ taken }) => { enter("paused"); say(taken); },
    finished: ({ taken }) => { enter("finished"); say(taken); },
    weights({ bytes }) {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([bytes]));
      link.download = "lesson.safetensors";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    },
    problem: told => { showProblem(told); enter("paused"); },
  };

  async function start() {
    element("problem").hidden = true;
    const chosen = settings({
      seed: Math.max(0, Math.floor(Number(element("seed").value))),
      initialization: element("initialization").value,
      optimizer: { learning_rate: rate() },
    });
    score = undefined;
    loss.clear(steps);
    accuracy.clear(steps);
    const want = { steps, every: Math.ceil(inEpoch / LOOKS_PER_EPOCH), shown: lesson.shown };
    training = await begin({ settings: chosen, want, counts: lesson.counts }, hear);
    enter("running");
    training.run();
  }
  train.addEventListener("click", () => {
    if (state === "new") start().catch(error => hear.problem({ problem: { detail: error.message } }));
    else if (state === "running") training.pause();
    else { enter("running"); training.run(); }
  });
  restart.addEventListener("click", () => {
    training.end();
    loss.clear(steps);
    accuracy.clear(steps);
    element("closed").textContent = "";
    status.textContent = "";
    enter("new");
  });
  save.addEventListener("click", () => training.weights());
  loss.clear(steps);
  accuracy.clear(steps);
  enter("new");
}

// Two trainings that differ in the seed only.
function connectDraws() {
  const { steps, initialization, optimizer, draws } = lesson.collapse;
  const button = element("draws");
  const runs = draws.map(({ seed }, at) => {
    const place = element(`draw-${at}`);
    place.querySelector("h3").textContent = `Seed ${seed}`;
    const curve = new Curve(place.querySelector("canvas"), { ...LOSS, text: `Loss with seed ${seed}` });
    curve.clear(steps);
    return { seed, curve, said: place.querySelector("p"), training: undefined };
  });
  button.addEventListener("click", async () => {
    button.disabled = true;
    element("problem").hidden = true;
    const ended = runs.map(run => new Promise(async (resolve, reject) => {
      run.curve.clear(steps);
      run.training?.end();
      let begun;
      const hear = {
        steps({ taken, points }) {
          points.forEach((point, at) => run.curve.add(taken - points.length + at + 1, point.loss));
          run.curve.draw();
        },
        seen({ taken, score }) {
          begun ??= score.closed;
          const still = taken ? `, ${score.closed} after ${taken} steps: ${(score.accuracy * 100).toFixed(0)} % of ${score.images} test images are right` : "";
          run.said.textContent = `${begun} of ${lesson.settings.classes.length} classes were closed at the start${still}.`;
        },
        finished: resolve,
        problem: reject,
      };
      const want = { steps, every: steps, shown: [] };
      run.training = await begin({ settings: settings({ seed: run.seed, initialization, optimizer }), want, counts: lesson.counts }, hear);
      run.training.run();
    }));
    await Promise.all(ended).catch(showProblem);
    for (const run of runs) run.training?.end();
    button.disabled = false;
  });
}

const problem = missing();
element("chance").textContent = CHANCE.toFixed(2);
element("version").textContent = lesson.version;
fillLayers();
connectSettings();
if (problem) {
  showProblem({ problem });
} else {
  connectSeen(element("seen"), { pictures: lesson.pictures, classes: lesson.settings.classes, input: lesson.settings.input_size })
    .then(connectTraining)
    .catch(error => showProblem({ problem: { detail: error.message } }));
  connectDraws();
}
