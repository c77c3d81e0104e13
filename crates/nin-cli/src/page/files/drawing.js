// Drawing with a pointer, light on black, as the network's training images are.
import { release } from "/inputs.js";

const PAUSE_MS = 300; // the delay between a stroke and its request

// Calls take(picture, name, true) after each pause.
export function connectDrawing(take) {
  const canvas = document.getElementById("drawing");
  const brush = document.getElementById("brush");
  const pen = canvas.getContext("2d");
  let stroke, timer;

  function clear() {
    clearTimeout(timer);
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, canvas.width, canvas.height);
  }
  function place(event) {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width * canvas.width, (event.clientY - box.top) / box.height * canvas.height];
  }
  function draw(event) {
    const [x, y] = place(event);
    pen.strokeStyle = "#e6e6e6";
    pen.lineCap = pen.lineJoin = "round";
    pen.lineWidth = Number(brush.value);
    pen.beginPath();
    pen.moveTo(...stroke);
    pen.lineTo(x, y);
    pen.stroke();
    stroke = [x, y];
  }
  function send() {
    release();
    canvas.toBlob(picture => take(picture, "Your drawing", true), "image/png");
  }

  canvas.addEventListener("pointerdown", event => {
    if (event.button !== 0) return;
    clearTimeout(timer);
    canvas.setPointerCapture(event.pointerId);
    stroke = place(event);
    draw(event);
  });
  canvas.addEventListener("pointermove", event => { if (stroke) draw(event); });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => {
      if (!stroke) return;
      stroke = undefined;
      timer = setTimeout(send, PAUSE_MS);
    });
  }
  document.getElementById("clear").addEventListener("click", clear);
  clear();
}
