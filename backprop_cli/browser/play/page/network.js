// The network as a graph: units with activation and δ, edges as wide as their weights; large layers as pictures.
import { bytes, diverging, floats, paint, scale, short, tint } from "./data.js";
import { el, folded, number, svg, table } from "./dom.js";

const INCH = 64, MARGIN = 46, TALL = 600, BOX = 120, LETTERS = 16;

const cut = (text, most = LETTERS) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
const largest = (values) => values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);

export class Network {
  constructor(parent, ask) {
    this.parent = parent;
    this.ask = ask; // what is pointed at: [{layer, what, index}], and whether it is to stay
    this.edges = "W";
  }

  model(model) {
    this.told = model;
    this.units = new Map();
    this.lines = new Map();
    this.boxes = new Map();
    const layers = model.layers;
    const stacked = layers.some((one) => layers.some((other) => one !== other && one.x === other.x && !(one.units && other.units)));
    const top = Math.min(...layers.map((layer) => layer.y - layer.height / 2)), bottom = Math.max(...layers.map((layer) => layer.y + layer.height / 2));
    const size = Math.max(stacked ? 50 : 19, Math.min(INCH, TALL / (bottom - top)));
    const right = Math.max(...layers.map((layer) => layer.x));
    const named = model.features.length > 0;
    const left = named ? 122 : 64, end = model.outputs.length ? 110 : 50;
    const wide = INCH * right + left + end, high = Math.max(size * (bottom - top), BOX) + 2 * MARGIN, shift = Math.max(0, BOX - size * (bottom - top)) / 2;
    const x = (v) => left + INCH * v, y = (v) => MARGIN + shift + size * (v - top);
    const radius = Math.max(5, Math.min(19, size * 0.86 * 0.36));
    this.radius = radius;
    const picture = svg("svg", { class: "net", viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": `the network ${model.name}, ${layers.length - 1} layers; its numbers are in the table below` });
    picture.style.minWidth = `${Math.min(wide, 62 * (right / 2.5 + 1) + 60)}px`;
    picture.style.maxHeight = `${high * 1.25}px`;
    const under = svg("g"), over = svg("g");
    picture.append(under, over);
    const spot = new Map(layers.map((layer) => [layer.name, layer]));
    for (const layer of layers) {
      for (const name of layer.inputs) if (spot.has(name)) this.connect(under, spot.get(name), layer, x, y);
      const head = layer.units ? y(layer.y - layer.height / 2) : y(layer.y) - BOX / 2;
      const heading = svg("text", { class: "name", x: x(layer.x), y: head - 20 }, cut(layer.name));
      heading.append(svg("title", {}, layer.name));
      const kind = layer.activation ? `${layer.type}, ${layer.activation}` : layer.type;
      over.append(heading, svg("text", { class: "kind", x: x(layer.x), y: head - 7 }, layer.units || layer.name === "input" ? kind : `${cut(kind, 12)} ${layer.shape.join("×")}`));
      if (layer.units) this.circles(over, layer, x, y, radius);
      else this.box(over, layer, x, y);
    }
    if (model.left_out.length) over.append(svg("text", { class: "kind", x: x(6 * 2.5), y: y((top + bottom) / 2) }, `${model.left_out.length} more`));
    this.parent.replaceChildren(picture, folded("numbers", () => this.numbers()));
  }

  connect(parent, from, to, x, y) {
    if (this.told.weighted.includes(to.name)) {
      const own = [];
      from.units.forEach((a, i) => to.units.forEach((b, j) => {
        const at = { x1: x(from.x), y1: y(a), x2: x(to.x), y2: y(b) };
        const line = svg("line", at), hit = svg("line", { ...at, class: "hit" });
        this.listen(hit, () => [{ layer: to.name, what: "W", index: [i, j] }], line);
        parent.append(hit, line);
        line.style.pointerEvents = "none";
        own.push(line);
      }));
      this.lines.set(to.name, own);
      return;
    }
    const far = to.x - from.x > 2.6, middle = far ? Math.min(from.y - from.height / 2, to.y - to.height / 2) - 0.4 : null;
    const [x1, y1, x2, y2] = [x(from.x) + 20, y(from.y), x(to.x) - 20, y(to.y)];
    parent.append(svg("path", { class: "plain", d: far ? `M${x1} ${y1}Q${(x1 + x2) / 2} ${y(middle)} ${x2} ${y2}` : `M${x1} ${y1}L${x2} ${y2}` }));
  }

  circles(parent, layer, x, y, radius) {
    const own = layer.units.map((at, i) => {
      const circle = svg("circle", { cx: x(layer.x), cy: y(at), r: radius, tabindex: 0, role: "button", "aria-label": `${layer.name}, unit ${i + 1}` });
      const value = svg("text", { x: x(layer.x), y: y(at) + 4, style: `font-size:${Math.min(11, 0.72 * radius)}px` }), delta = svg("text", { class: "delta", x: x(layer.x), y: y(at) + radius + 10 });
      this.listen(circle, () => this.about(layer, i), circle);
      parent.append(circle, value, delta);
      return { circle, value, delta };
    });
    this.units.set(layer.name, own);
    const first = layer.name === "input", last = layer.name === this.told.order.at(-1);
    const names = first ? this.told.features : last ? this.told.outputs : [];
    if (names.length === layer.units.length) layer.units.forEach((at, i) => {
      const text = svg("text", { class: "side", x: x(layer.x) + (first ? -1 : 1) * (radius + 6), y: y(at) + 4 }, cut(names[i], 14));
      text.style.textAnchor = first ? "end" : "start";
      parent.append(text);
    });
  }

  about(layer, i) {
    if (layer.name === "input") return [{ layer: "input", what: "x", index: [i] }];
    const wanted = [{ layer: layer.name, what: "y", index: [i] }, { layer: layer.name, what: "δ", index: [i] }];
    return layer.type === "dense" ? [...wanted, { layer: layer.name, what: "b", index: [i] }] : wanted;
  }

  box(parent, layer, x, y) {
    const half = 0.62 * INCH, height = BOX, top = y(layer.y) - height / 2, side = Math.min(2 * half - 8, height / 2 - 14);
    parent.append(svg("rect", { class: "box", x: x(layer.x) - half, y: top, width: 2 * half, height, rx: 6 }));
    const image = (at) => svg("image", { x: x(layer.x) - side / 2, y: at, width: side, height: side, preserveAspectRatio: "none" });
    const y_ = image(top + 4), d = image(top + side + 18);
    const told = svg("text", { x: x(layer.x), y: top + side + 14 }), back = svg("text", { class: "delta", x: x(layer.x), y: top + 2 * side + 28 });
    const own = { y: y_, d, told, back, shape: layer.shape, tiles: {} };
    for (const [what, node] of [["y", y_], ["δ", d]]) {
      const find = (event) => this.cell(layer, own, what, node, event);
      node.addEventListener("click", (event) => this.ask(find(event), true));
      node.addEventListener("pointermove", (event) => this.soon(() => this.ask(find(event), false)));
    }
    parent.append(y_, d, told, back);
    this.boxes.set(layer.name, own);
  }

  // The index of the number under the pointer in a layer's picture.
  cell(layer, own, what, node, event) {
    const box = node.getBoundingClientRect(), tile = own.tiles[what];
    if (!tile) return [];
    const row = Math.min(tile.shape[0] - 1, Math.floor(((event.clientY - box.top) / box.height) * tile.shape[0]));
    const column = Math.min(tile.shape[1] - 1, Math.floor(((event.clientX - box.left) / box.width) * tile.shape[1]));
    const shape = layer.shape;
    const index = shape.length === 3 ? [row * Math.ceil(shape[0] / tile.shape[0]), column * Math.ceil(shape[1] / tile.shape[1]), 0]
      : shape.length === 2 ? [column, row] : [row * tile.shape[1] + column];
    if (index.some((i, k) => i >= shape[k])) return [];
    return [{ layer: layer.name, what: layer.name === "input" ? "x" : what, index }];
  }

  soon(act) {
    clearTimeout(this.timer);
    this.timer = setTimeout(act, 120);
  }

  listen(node, find, marked) {
    node.addEventListener("pointerenter", () => this.soon(() => this.ask(find(), false)));
    node.addEventListener("pointerleave", () => clearTimeout(this.timer));
    const pin = () => {
      this.parent.querySelectorAll(".pinned").forEach((node) => node.classList.remove("pinned"));
      marked.classList.add("pinned");
      this.ask(find(), true);
    };
    node.addEventListener("click", pin);
    node.addEventListener("keydown", (event) => { if (event.key === "Enter") pin(); });
  }

  frame(frame) {
    this.shown = frame;
    const all = Object.entries(frame.layers);
    const ys = all.map(([name, shown]) => [name, floats(shown.y), floats(shown.d)]);
    const most = largest(ys.flatMap(([name, y]) => (name === "input" || !y ? [] : [...y])));
    for (const [name, y, d] of ys) {
      const units = this.units.get(name);
      if (!units) continue;
      const top = name === "input" ? largest([...(y ?? [])]) : most, back = d ? largest([...d]) : 0;
      units.forEach(({ circle, value, delta }, i) => {
        circle.classList.toggle("waiting", !y);
        circle.style.fill = y ? tint(y[i], top, 60) : "";
        circle.style.strokeWidth = d && back ? 1 + (3 * Math.abs(d[i])) / back : 1;
        if (this.radius >= 13) {
          value.textContent = y ? short(y[i]) : "";
          delta.textContent = d ? `${name === "input" ? "∂L/∂x" : "δ"} ${short(d[i])}` : "";
        }
      });
    }
    this.widths(frame);
    for (const [name, box] of this.boxes) {
      const shown = frame.layers[name] ?? {};
      this.tile(box, "y", box.y, shown.tile, (t) => scale(t));
      const back = shown.back ? { ...shown.back, cells: shown.back.cells } : null;
      this.tile(box, "δ", box.d, back, (t) => {
        const v = back.low + t * (back.high - back.low), top = Math.max(Math.abs(back.low), Math.abs(back.high)) || 1;
        return diverging(v / (2 * top) + 0.5);
      });
      box.told.textContent = shown.tile ? `${short(shown.tile.low)} … ${short(shown.tile.high)}` : "";
      box.back.textContent = back ? `${name === "input" ? "∂L/∂x" : "δ"} rms ${short(back.rms)}` : "";
    }
  }

  widths(frame) {
    const widths = [...this.lines].map(([name, lines]) => [lines, floats(frame.layers[name]?.[this.edges])]);
    const top = this.edges === "W" ? largest(widths.flatMap(([, w]) => (w ? [...w] : []))) : null;
    for (const [lines, w] of widths) {
      const most = top ?? (w ? largest([...w]) : 1);
      lines.forEach((line, i) => {
        const v = w ? w[i] : 0;
        line.style.stroke = !w ? "var(--line)" : v < 0 ? "var(--s0)" : "var(--s1)";
        line.style.strokeWidth = 0.4 + (4.2 * Math.abs(v)) / (most || 1);
        line.style.strokeOpacity = 0.25 + (0.65 * Math.abs(v)) / (most || 1);
      });
    }
    this.top = top;
  }

  tile(box, what, node, tile, colour) {
    if (!tile) { node.removeAttribute("href"); box.tiles[what] = null; return; }
    const cells = bytes(tile.cells);
    box.canvas ??= el("canvas", { "aria-hidden": "true" });
    paint(box.canvas, tile.shape[0], tile.shape[1], (i) => colour(cells[i] / 255));
    node.setAttribute("href", box.canvas.toDataURL());
    box.tiles[what] = tile;
  }

  // Every unit that is drawn, as a table: y, δ, and the weights that lead to it.
  numbers() {
    if (!this.shown) return el("p");
    const parts = this.told.layers.filter((layer) => layer.units).map((layer) => {
      const shown = this.shown.layers[layer.name], y = floats(shown.y), d = floats(shown.d), w = floats(shown.W), b = floats(shown.b);
      const from = w ? w.length / layer.units.length : 0;
      const heads = ["unit", "y", "δ", ...(w ? [...Array(from).keys()].map((i) => `W[${i + 1},·]`) : []), ...(b ? ["b"] : [])];
      const rows = layer.units.map((_, j) => [j + 1, y ? y[j] : null, d ? d[j] : null, ...(w ? [...Array(from).keys()].map((i) => w[i * layer.units.length + j]) : []), ...(b ? [b[j]] : [])]);
      return el("div", {}, el("h3", {}, layer.name), table(heads, rows.map((row) => row.map((v) => (v === null ? null : number(+v.toPrecision(6)))))));
    });
    const whole = this.told.layers.filter((layer) => !layer.units && this.shown.layers[layer.name]).map((layer) => {
      const { tile, back } = this.shown.layers[layer.name];
      return [layer.name, tile?.low ?? null, tile?.high ?? null, tile?.rms ?? null, back?.rms ?? null];
    });
    return el("div", {}, ...parts, whole.length ? table(["layer", "lowest y", "highest y", "rms of y", "rms of δ"], whole) : null);
  }
}
