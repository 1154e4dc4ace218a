// What the network says over the plane of two inputs, or along one: with the examples, and the one that is looked at.
import { BLUE, CLASSES, VERMILLION, bytes, diverging, floats, paint, scale } from "./data.js";
import { el, folded, table } from "./dom.js";

const SIDE = 480, STEPS = 10; // of the table of numbers, along each input

export class Plane {
  constructor(parent, choose, look) {
    this.canvas = el("canvas", { width: SIDE, height: SIDE, role: "img", "aria-label": "what the network says over its inputs, with the examples" });
    this.caption = el("figcaption", {}, el("span"));
    this.node = el("figure", { class: "chart plane" }, this.caption, this.canvas, el("p", { class: "faint" }, "Click a dot to look at that example, or anywhere to try a point of your own."), folded("numbers", () => this.numbers()));
    this.canvas.addEventListener("click", (event) => {
      const box = this.canvas.getBoundingClientRect(), at = [((event.clientX - box.left) / box.width) * SIDE, ((event.clientY - box.top) / box.height) * SIDE];
      const near = this.data.points.map((_, i) => this.position(i)).map(([x, y]) => Math.hypot(x - at[0], y - at[1]));
      const nearest = Math.min(...near), [x0, x1] = this.data.x;
      const x = x0 + (at[0] / SIDE) * (x1 - x0);
      if (nearest < 14) choose(this.data.rows[near.indexOf(nearest)]);
      else if (this.data.kind === "curve") this.tried([x, null], look);
      else this.tried([x, this.data.y[0] + (1 - at[1] / SIDE) * (this.data.y[1] - this.data.y[0])], look);
    });
    parent.append(this.node);
  }

  tried(point, look) {
    this.own = point;
    look(point.filter((v) => v !== null));
  }

  model(model) {
    this.own = null;
    this.data = model.plane;
    this.node.hidden = !this.data;
    if (!this.data) return;
    this.names = model.classes;
    this.classes = model.classes.length;
    this.caption.firstChild.textContent = this.data.kind === "curve" ? "fitted curve" : model.classes.length ? "decision boundary" : "output over the inputs";
  }

  // The same for those who cannot see it: outputs at some values of the inputs.
  numbers() {
    if (!this.surface) return el("p", { class: "faint" }, "nothing yet");
    const { yes, class: chosen, value, y, low = 0, high = 1 } = this.surface, main = y ?? yes ? floats(y ?? yes) : bytes(chosen ?? value);
    const n = this.data.kind === "curve" ? main.length : Math.round(Math.sqrt(main.length));
    const at = Array.from({ length: STEPS + 1 }, (_, k) => Math.round((k * (n - 1)) / STEPS)), along = ([from, to], i) => from + (i / (n - 1)) * (to - from);
    const told = (v) => (chosen ? String(this.names[v] ?? v) : value ? low + (v / 255) * (high - low) : v);
    if (this.data.kind === "curve") return table(["input", "output"], at.map((i) => [along(this.data.x, i), told(main[i])]));
    const rows = [...at].reverse().map((r) => [along(this.data.y, r), ...at.map((c) => told(main[r * n + c]))]);
    return table(["second input ↓ first →", ...at.map((c) => along(this.data.x, c).toPrecision(3))], rows);
  }

  position(i) {
    const point = this.data.points[i], [x0, x1] = this.data.x, [y0, y1] = this.data.kind === "curve" ? this.ends : this.data.y;
    return [((point[0] - x0) / (x1 - x0)) * SIDE, SIDE - ((point[1] - y0) / (y1 - y0 || 1)) * SIDE];
  }

  frame(frame) {
    if (!this.data || !frame.surface) return;
    this.surface = frame.surface;
    const context = this.canvas.getContext("2d"), surface = frame.surface;
    context.clearRect(0, 0, SIDE, SIDE);
    const style = getComputedStyle(document.documentElement), ink = style.getPropertyValue("--ink"), paper = style.getPropertyValue("--paper");
    if (this.data.kind === "curve") this.curve(context, floats(surface.y), style);
    else this.cells(context, surface, ink);
    this.data.points.forEach((point, i) => {
      const [x, y] = this.position(i), chosen = this.data.rows[i] === frame.sample;
      context.beginPath();
      context.arc(x, y, chosen ? 9 : this.data.points.length > 60 ? 4 : 7, 0, 7);
      const value = point.at(-1);
      const colour = this.data.kind === "curve" ? BLUE : this.classes === 2 ? (value ? VERMILLION : BLUE) : this.classes ? CLASSES[value % CLASSES.length] : scale((value - (surface.low ?? 0)) / ((surface.high ?? 1) - (surface.low ?? 0) || 1));
      context.fillStyle = `rgb(${colour})`;
      context.fill();
      context.lineWidth = chosen ? 4 : 1.5;
      context.strokeStyle = chosen ? ink : paper;
      context.stroke();
    });
    if (frame.sample === null && this.own) this.mine(context, ink);
  }

  mine(context, ink) {
    const [x0, x1] = this.data.x, x = ((this.own[0] - x0) / (x1 - x0)) * SIDE;
    const y = this.own[1] === null ? SIDE / 2 : SIDE - ((this.own[1] - this.data.y[0]) / (this.data.y[1] - this.data.y[0])) * SIDE;
    context.beginPath();
    context.moveTo(x, this.own[1] === null ? 0 : y - 12);
    context.lineTo(x, this.own[1] === null ? SIDE : y + 12);
    if (this.own[1] !== null) { context.moveTo(x - 12, y); context.lineTo(x + 12, y); }
    context.lineWidth = 3;
    context.strokeStyle = ink;
    context.stroke();
  }

  curve(context, y, style) {
    const targets = this.data.points.map((point) => point[1]);
    const low = Math.min(...targets, ...y), high = Math.max(...targets, ...y), room = (high - low || 1) * 0.06;
    this.ends = [low - room, high + room];
    context.beginPath();
    y.forEach((v, i) => context.lineTo((i / (y.length - 1)) * SIDE, SIDE - ((v - this.ends[0]) / (this.ends[1] - this.ends[0])) * SIDE));
    context.lineWidth = 3;
    context.strokeStyle = style.getPropertyValue("--s1");
    context.stroke();
  }

  cells(context, surface, ink) {
    const main = surface.yes ? floats(surface.yes) : bytes(surface.class ?? surface.value), sure = surface.sure ? bytes(surface.sure) : null, n = Math.round(Math.sqrt(main.length));
    const flipped = (i) => (n - 1 - Math.floor(i / n)) * n + (i % n); // the second input grows upwards
    const colour = (i) => {
      const v = main[flipped(i)];
      if (surface.yes) return diverging(v);
      if (!sure) return scale(v / 255);
      const strength = 0.08 + (0.5 * sure[flipped(i)]) / 255;
      return CLASSES[v % CLASSES.length].map((c) => Math.round(255 - strength * (255 - c)));
    };
    this.small ??= el("canvas");
    paint(this.small, n, n, colour);
    context.imageSmoothingEnabled = !surface.class;
    context.globalAlpha = 0.85;
    context.drawImage(this.small, 0, 0, SIDE, SIDE);
    context.globalAlpha = 1;
    context.beginPath();
    const step = SIDE / n;
    if (surface.yes) contour(context, main, n, step);
    if (surface.class) for (let r = 0; r < n; r++) for (let c = 0; c < n; c++) {
      const v = main[r * n + c], x = c * step, y = SIDE - r * step;
      if (c + 1 < n && main[r * n + c + 1] !== v) { context.moveTo(x + step, y); context.lineTo(x + step, y - step); }
      if (r + 1 < n && main[(r + 1) * n + c] !== v) { context.moveTo(x, y - step); context.lineTo(x + step, y - step); }
    }
    context.lineWidth = 2;
    context.strokeStyle = "#000";
    context.stroke();
  }
}

// The line where the values cross the middle (marching squares, Lorensen & Cline 1987 in the plane).
const contour = (context, main, n, step) => {
  const at = (r, c) => main[r * n + c] - 0.5;
  for (let r = 0; r + 1 < n; r++) for (let c = 0; c + 1 < n; c++) {
    const corners = [[r, c], [r, c + 1], [r + 1, c + 1], [r + 1, c]];
    const crossings = [];
    for (let k = 0; k < 4; k++) {
      const [a, b] = [corners[k], corners[(k + 1) % 4]], va = at(...a), vb = at(...b);
      if (va < 0 === vb < 0) continue;
      const t = va / (va - vb);
      crossings.push([(a[1] + t * (b[1] - a[1]) + 0.5) * step, SIDE - (a[0] + t * (b[0] - a[0]) + 0.5) * step]);
    }
    for (let k = 0; k + 1 < crossings.length; k += 2) {
      context.moveTo(...crossings[k]);
      context.lineTo(...crossings[k + 1]);
    }
  }
};
