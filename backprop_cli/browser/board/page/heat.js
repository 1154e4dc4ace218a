// Layer × time as colours, on a logarithmic scale where all values are positive.
import { el, folded, number, table } from "./dom.js";

// viridis (Smith & van der Walt 2015), nine of its colours
const VIRIDIS = [[68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37]];

const TIMES = 8; // in the table

const colour = (t) => {
  const at = Math.max(0, Math.min(1, t)) * (VIRIDIS.length - 1), i = Math.min(Math.floor(at), VIRIDIS.length - 2);
  return VIRIDIS[i].map((v, k) => Math.round(v + (at - i) * (VIRIDIS[i + 1][k] - v)));
};

const strip = (values, scale) => {
  const canvas = el("canvas", { width: Math.max(values.length, 1), height: 1, "aria-hidden": "true" });
  const paint = canvas.getContext("2d"), image = paint.createImageData(canvas.width, 1);
  values.forEach((v, i) => image.data.set(v === null ? [128, 128, 128, 90] : [...colour(scale(v)), 255], 4 * i));
  paint.putImageData(image, 0, 0);
  return canvas;
};

export const heatmap = (title, recorded) => {
  const all = recorded.z.flat().filter((v) => v !== null);
  const positive = all.filter((v) => v > 0), log = positive.length > 0 && all.every((v) => v >= 0) && Math.max(...positive) / Math.min(...positive) > 20;
  const f = log ? (v) => Math.log10(Math.max(v, Math.min(...positive))) : (v) => v;
  const low = all.length ? Math.min(...all.map(f)) : 0, high = all.length ? Math.max(...all.map(f)) : 1;
  const scale = (v) => (f(v) - low) / (high - low || 1);
  const end = (v) => number(log ? 10 ** v : v);
  const count = recorded.step.length, shown = [...new Set([...Array(TIMES).keys()].map((i) => Math.round((i * (count - 1)) / (TIMES - 1))))].filter((i) => i >= 0);
  return el("figure", {},
    el("figcaption", {}, el("span", {}, title), el("span", { class: "faint" }, `${end(low)} to ${end(high)}${log ? ", logarithmic" : ""}`)),
    el("div", { class: "heat", role: "img", "aria-label": `${title} by layer over ${recorded.step.length} times; the numbers are in the table below` },
      ...recorded.layers.flatMap((name, i) => [el("span", {}, name), strip(recorded.z[i], scale)])),
    folded("numbers", () => table(["layer", ...shown.map((i) => `step ${number(recorded.step[i])}`)], recorded.layers.map((name, row) => [name, ...shown.map((i) => recorded.z[row][i])]))));
};
