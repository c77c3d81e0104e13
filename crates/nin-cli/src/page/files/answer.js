// The answer for one picture: its classes, and each class's map over the picture.
const element = id => document.getElementById(id);
const SHOWN_SIDE = 384; // the smallest side of the drawn picture, in canvas pixels
const HEAT = "255, 110, 0";
const STRONGEST = 0.7; // the opacity of the hottest cell

// The [height, width] that the server scales the picture to: stretched, covering the input, or within it.
function scaledSize(from, size, fit) {
  if (fit === "stretch") return size;
  const scales = [size[0] / from[0], size[1] / from[1]];
  const scale = fit === "crop" ? Math.max(...scales) : Math.min(...scales);
  return [0, 1].map(side => Math.max(Math.round(from[side] * scale), 1));
}

// The median colour of a picture's border, with which the server pads the input.
function rimColour(bitmap) {
  const side = 64;
  const small = new OffscreenCanvas(side, side).getContext("2d", { willReadFrequently: true });
  small.fillStyle = "#fff"; // transparent parts become white
  small.fillRect(0, 0, side, side);
  small.drawImage(bitmap, 0, 0, side, side);
  const { data } = small.getImageData(0, 0, side, side);
  const rim = [];
  for (let at = 0; at < side * side; at++) {
    const [x, y] = [at % side, Math.floor(at / side)];
    if (x === 0 || y === 0 || x === side - 1 || y === side - 1) rim.push(at * 4);
  }
  const middle = channel => rim.map(at => data[at + channel]).sort((a, b) => a - b)[rim.length >> 1];
  return `rgb(${middle(0)}, ${middle(1)}, ${middle(2)})`;
}

// The pixels of the input whose nearest centre is that of cell `index`: [first, one past the last].
function span(index, geometry, limit) {
  const edge = at => Math.min(Math.max(Math.ceil(geometry.first + (at - 0.5) * geometry.step), 0), limit);
  return [edge(index), edge(index + 1)];
}

function drawPicture(canvas, bitmap, image, input, fit) {
  const zoom = Math.ceil(SHOWN_SIDE / Math.min(...input));
  canvas.height = input[0] * zoom;
  canvas.width = input[1] * zoom;
  const pen = canvas.getContext("2d");
  const inner = scaledSize(image.size, input, fit);
  const ground = bitmap ? rimColour(bitmap) : "#888";
  const [top, left] = [0, 1].map(side => Math.floor((input[side] - inner[side]) / 2) * zoom);
  pen.fillStyle = ground;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  if (bitmap) {
    pen.fillStyle = "#fff";
    pen.fillRect(left, top, inner[1] * zoom, inner[0] * zoom);
    pen.imageSmoothingEnabled = bitmap.width > input[1]; // small pictures keep their pixels
    pen.drawImage(bitmap, left, top, inner[1] * zoom, inner[0] * zoom);
  }
  element("scale").style.setProperty("--picture-ground", ground); // the scale has the same background
  return zoom;
}

function drawMap(canvas, rows, geometry, hottest, input, zoom) {
  const pen = canvas.getContext("2d");
  rows.forEach((row, y) => row.forEach((value, x) => {
    const heat = hottest > 0 ? Math.min(Math.max(value / hottest, 0), 1) : 0;
    const [top, bottom] = span(y, geometry, input[0]);
    const [left, right] = span(x, geometry, input[1]);
    pen.fillStyle = `rgba(${HEAT}, ${heat * STRONGEST})`;
    pen.fillRect(left * zoom, top * zoom, (right - left) * zoom, (bottom - top) * zoom);
  }));
}

function fillTable(rows, name) {
  const cell = (kind, text, scope) => {
    const made = document.createElement(kind);
    made.textContent = text;
    if (scope) made.scope = scope;
    return made;
  };
  const line = cells => {
    const made = document.createElement("tr");
    made.append(...cells);
    return made;
  };
  const caption = document.createElement("caption");
  caption.textContent = `${name}: rows from the top, columns from the left`;
  const head = document.createElement("thead");
  head.append(line([cell("th", "row", "col"), ...rows[0].map((_, x) => cell("th", x + 1, "col"))]));
  const body = document.createElement("tbody");
  body.append(...rows.map((row, y) => line([cell("th", y + 1, "row"), ...row.map(value => cell("td", value.toFixed(2)))])));
  element("values").replaceChildren(caption, head, body);
}

// Shows one entry of the server's `images` for this picture.
export async function showAnswer(picture, image, model) {
  // Browsers do not show every picture that the server reads, such as TIFF.
  const bitmap = await createImageBitmap(picture).catch(() => null);
  const input = model.input.slice(1);
  const canvas = element("picture");
  const overlay = element("overlay");
  const hottest = Math.max(0, ...image.maps.flatMap(map => map.values.flat()));
  const [height, width] = [image.maps[0].values.length, image.maps[0].values[0].length];
  const isSingle = height * width === 1;
  let chosen = 0;

  function draw() {
    const { class: name, values } = image.maps[chosen];
    const { logit } = image.top[chosen];
    const zoom = drawPicture(canvas, bitmap, image, input, model.fit);
    const shown = overlay.checked && !isSingle;
    if (shown) drawMap(canvas, values, image.map_geometry, hottest, input, zoom);
    const mean = values.flat().reduce((sum, value) => sum + value, 0) / (height * width);
    canvas.setAttribute("aria-label", shown ? `The picture with the map of ${name} over it` : "The picture");
    element("caption").textContent = isSingle
      ? `At this size each map is a single cell, which equals the logit: ${name} ${logit.toFixed(4)}.`
      : `${name}: the mean of its ${width}×${height} map is ${mean.toFixed(4)}, equal to its logit (${logit.toFixed(4)}).`
        + (image.inverted ? " Light and dark were inverted." : "");
    element("scale").hidden = !shown;
    element("hottest").textContent = hottest.toFixed(2);
    fillTable(values, name);
  }

  element("switches").hidden = isSingle;
  element("cells").hidden = isSingle;
  overlay.onchange = draw;
  element("bars").replaceChildren(...image.top.map((entry, rank) => {
    const choice = document.createElement("input");
    choice.type = "radio";
    choice.name = "class";
    choice.checked = rank === 0;
    choice.addEventListener("change", () => { chosen = rank; draw(); });
    const part = (kind, text) => {
      const made = document.createElement("span");
      made.className = kind;
      made.textContent = text;
      return made;
    };
    const bar = document.createElement("progress");
    bar.max = 1;
    bar.value = entry.probability;
    bar.setAttribute("aria-hidden", "true");
    const label = document.createElement("label");
    const share = `${(entry.probability * 100).toFixed(1)} %`;
    label.append(choice, part("name", entry.class), part("share", share), part("logit", `logit ${entry.logit.toFixed(2)}`), bar);
    return label;
  }));
  draw();
  element("result").hidden = false;
}
