// Test images with the class maps of the network as it is now.
const ZOOM = 4; // canvas pixels of an input pixel
const HEAT = "255, 110, 0";
const STRONGEST = 0.7; // the opacity of the hottest cell

// Draws an image without a map. Returns the canvas's context.
function drawImage(canvas, image) {
  const pen = canvas.getContext("2d");
  pen.imageSmoothingEnabled = false;
  pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  return pen;
}

// Adds a figure for each test image. Returns a function that shows what the network says now.
export async function connectSeen(list, { pictures, classes, input }) {
  const [height, width] = input;
  const shown = await Promise.all(pictures.map(async address => {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = width * ZOOM;
    canvas.height = height * ZOOM;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "A test image");
    const caption = document.createElement("figcaption");
    const figure = document.createElement("figure");
    figure.append(canvas, caption);
    const item = document.createElement("li");
    item.append(figure);
    drawImage(canvas, image);
    return { image, canvas, caption, item };
  }));
  list.replaceChildren(...shown.map(({ item }) => item));

  return images => images.forEach(({ label, answer, probability, map_of_label: map }, at) => {
    const { image, canvas, caption, item } = shown[at];
    const pen = drawImage(canvas, image);
    const hottest = Math.max(...map.flat());
    const [rows, columns] = [map.length, map[0].length];
    map.forEach((row, y) => row.forEach((value, x) => {
      const [top, bottom] = [y, y + 1].map(edge => Math.round(edge * canvas.height / rows));
      const [left, right] = [x, x + 1].map(edge => Math.round(edge * canvas.width / columns));
      pen.fillStyle = `rgba(${HEAT}, ${hottest > 0 ? Math.max(value, 0) / hottest * STRONGEST : 0})`;
      pen.fillRect(left, top, right - left, bottom - top);
    }));
    const isRight = label === answer;
    item.className = isRight ? "right" : "";
    caption.textContent = `${classes[answer]}, ${(probability * 100).toFixed(0)} %`;
    canvas.setAttribute("aria-label", `${classes[label]} with the map of its class. The answer is ${classes[answer]}${isRight ? "" : ", which is wrong"}.`);
  });
}
