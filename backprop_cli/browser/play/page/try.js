// The user's own inputs: a picture drawn, a row typed. (plane.js handles a clicked point.)
import { el } from "./dom.js";

const PIXELS = 196;

export class Try {
  constructor(parent, act) {
    [this.parent, this.act] = [parent, act];
  }

  model(model) {
    const { shape, low, high, row } = model.input;
    this.parent.replaceChildren();
    const image = shape.length >= 2 && shape[0] >= 6 && shape[1] >= 6 && (shape.length === 2 || shape[2] === 1);
    this.parent.hidden = !image && !(shape.length === 1 && shape[0] <= 64);
    if (this.parent.hidden) return;
    if (image) this.draw(shape, low, high);
    else this.type(row, model.features);
  }

  type(row, features) {
    const input = el("input", { "aria-label": "a row", value: row.join(", "), size: Math.min(60, 8 * row.length + 6) });
    const go = () => this.act("look", { x: input.value.split(/[,;\s]+/).filter(Boolean).map(Number) });
    input.addEventListener("change", go);
    this.parent.append(el("label", {}, "try a row", input), el("button", { type: "button", onclick: go }, "try it"), features.length ? el("span", { class: "faint" }, features.join(", ")) : "");
  }

  draw([rows, columns, channels], low, high) {
    const canvas = el("canvas", { width: PIXELS, height: PIXELS, role: "img", "aria-label": "draw a picture here", class: "pad" });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const clear = () => { context.fillStyle = "#000"; context.fillRect(0, 0, PIXELS, PIXELS); };
    clear();
    let drawing = false;
    const at = (event) => { const box = canvas.getBoundingClientRect(); return [((event.clientX - box.left) / box.width) * PIXELS, ((event.clientY - box.top) / box.height) * PIXELS]; };
    canvas.addEventListener("pointerdown", (event) => { drawing = true; canvas.setPointerCapture(event.pointerId); context.beginPath(); context.moveTo(...at(event)); });
    canvas.addEventListener("pointermove", (event) => {
      if (!drawing) return;
      context.lineTo(...at(event));
      [context.strokeStyle, context.lineWidth, context.lineCap, context.lineJoin] = ["#fff", PIXELS / 12, "round", "round"];
      context.stroke();
    });
    const small = el("canvas", { width: columns, height: rows });
    const send = () => {
      drawing = false;
      const other = small.getContext("2d", { willReadFrequently: true });
      other.drawImage(canvas, 0, 0, columns, rows);
      const data = other.getImageData(0, 0, columns, rows).data;
      const value = (r, c) => low + (data[4 * (r * columns + c)] / 255) * (high - low);
      this.act("look", { x: [...Array(rows).keys()].map((r) => [...Array(columns).keys()].map((c) => (channels ? [value(r, c)] : value(r, c)))) });
    };
    canvas.addEventListener("pointerup", send);
    this.parent.append(el("label", {}, "draw one", canvas), el("button", { type: "button", onclick: clear }, "clear"));
  }
}
