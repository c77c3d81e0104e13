// Curves over training steps, on a canvas.
const GAP = 4; // pixels between the curve and the edge
const AXIS = 34; // pixels for the figures at the left
const SMOOTH = 0.9; // of the mean before, in the line of a noisy curve

const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name);

// Draws the curves of `values` [step, value], within `steps` and `most`. `marks` are values with a line and a figure.
export class Curve {
  constructor(canvas, { most, marks, isSmooth = false, text }) {
    Object.assign(this, { canvas, most, marks, isSmooth, text });
    this.clear(1);
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  // Empties the curve for a training of this many steps.
  clear(steps) {
    this.steps = steps;
    this.values = [];
    this.draw();
  }

  add(step, value) {
    this.values.push([step, value]);
  }

  draw() {
    const { canvas, steps, most } = this;
    const zoom = devicePixelRatio;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    canvas.width = width * zoom;
    canvas.height = height * zoom;
    const pen = canvas.getContext("2d");
    pen.scale(zoom, zoom);
    const x = step => AXIS + step / steps * (width - AXIS - GAP);
    const y = value => height - GAP - Math.min(value, most) / most * (height - 2 * GAP);
    pen.font = "12px system-ui, sans-serif";
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const mark of this.marks) {
      pen.fillStyle = colour("--soft");
      pen.fillText(String(mark), AXIS - 6, Math.min(Math.max(y(mark), 7), height - 7));
      pen.fillStyle = colour("--rule");
      pen.fillRect(AXIS, y(mark), width - AXIS - GAP, 1);
    }
    const line = (values, stroke, thickness) => {
      pen.strokeStyle = stroke;
      pen.lineWidth = thickness;
      pen.lineJoin = "round";
      pen.beginPath();
      for (const [step, value] of values) pen.lineTo(x(step), y(value));
      pen.stroke();
    };
    if (this.isSmooth) {
      line(this.values, colour("--bar"), 1);
      let mean;
      line(this.values.map(([step, value]) => [step, mean = mean === undefined ? value : SMOOTH * mean + (1 - SMOOTH) * value]), colour("--accent"), 2);
    } else {
      line(this.values, colour("--accent"), 2);
      pen.fillStyle = colour("--accent");
      for (const [step, value] of this.values) {
        pen.beginPath();
        pen.arc(x(step), y(value), 2.5, 0, 7);
        pen.fill();
      }
    }
    const last = this.values.at(-1);
    canvas.setAttribute("aria-label", last ? `${this.text}: ${last[1].toFixed(2)} after ${last[0]} steps` : `${this.text}: no steps yet`);
  }
}
