// Existing pictures: files, dropped or pasted ones, and the gallery.
import { loadTestImage, testImage } from "/network.js";

const element = id => document.getElementById(id);

// Calls take(picture, name) for each picture that is chosen, dropped or pasted.
export function connectFiles(take) {
  const takeFirst = files => {
    const [file] = files ?? [];
    if (!file) return;
    release();
    take(file, file.name || "Pasted picture");
  };
  const chooser = element("file");
  chooser.addEventListener("change", () => {
    takeFirst(chooser.files);
    chooser.value = ""; // so that the same file can be chosen again
  });
  const drop = element("drop");
  // Otherwise a picture dropped outside the drop area would replace the page.
  for (const kind of ["dragover", "drop"]) document.addEventListener(kind, event => event.preventDefault());
  document.addEventListener("dragover", () => drop.classList.add("over"));
  document.addEventListener("dragleave", event => { if (!event.relatedTarget) drop.classList.remove("over"); });
  document.addEventListener("drop", event => {
    drop.classList.remove("over");
    takeFirst(event.dataTransfer?.files);
  });
  document.addEventListener("paste", event => takeFirst(event.clipboardData?.files));
}

// Adds a button for each test image.
export function fillGallery(labels, take, showProblem) {
  element("gallery-part").hidden = labels.length === 0;
  element("gallery").replaceChildren(...labels.map((label, number) => {
    const image = document.createElement("img");
    image.src = testImage(number);
    image.alt = `Test image ${number + 1}: ${label}`;
    image.width = image.height = 28;
    const button = document.createElement("button");
    button.type = "button";
    button.title = label;
    button.setAttribute("aria-pressed", "false");
    button.append(image);
    button.addEventListener("click", async () => {
      try {
        const picture = await loadTestImage(number);
        release();
        button.setAttribute("aria-pressed", "true");
        take(picture, `Test image (${label})`);
      } catch (problem) {
        showProblem(problem);
      }
    });
    const item = document.createElement("li");
    item.append(button);
    return item;
  }));
}

// Deselects the chosen test image.
export function release() {
  for (const button of document.querySelectorAll("#gallery [aria-pressed=true]")) button.setAttribute("aria-pressed", "false");
}
