// Numbers as the engine packs them, and colours for them.
const raw = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
export const bytes = raw;
export const floats = (packed) => (packed ? new Float32Array(raw(packed.f).buffer) : null);

export const short = (v) => {
  if (v === null || v === undefined || Number.isNaN(v)) return "–";
  const size = Math.abs(v);
  if (v !== 0 && size < 0.0095) return v.toExponential(0).replace("-", "−").replace("e−", "e-");
  return (size < 10 ? v.toFixed(2) : v.toPrecision(3)).replace("-", "−");
};

// Blue below 0, vermillion above; the share of colour is |v| of the largest.
export const tint = (v, largest, most = 70) =>
  `color-mix(in oklab, var(--${v < 0 ? "s0" : "s1"}) ${(Math.min(1, Math.abs(v) / (largest || 1)) * most).toFixed(1)}%, var(--paper))`;

// cividis (Nuñez et al. 2018), nine of its colours; and blue over white to vermillion
const SCALE = [[0, 32, 76], [0, 48, 111], [57, 72, 107], [87, 93, 109], [112, 113, 115], [138, 134, 120], [166, 156, 117], [196, 180, 108], [255, 233, 69]];
const along = (colours, t) => {
  const at = Math.max(0, Math.min(1, t)) * (colours.length - 1), i = Math.min(Math.floor(at), colours.length - 2);
  return colours[i].map((v, k) => Math.round(v + (at - i) * (colours[i + 1][k] - v)));
};
export const scale = (t) => along(SCALE, t);
export const BLUE = [0, 114, 178], VERMILLION = [213, 94, 0];
const DIVERGING = [BLUE, [247, 247, 247], VERMILLION];
export const diverging = (t) => along(DIVERGING, t);
export const CLASSES = [BLUE, VERMILLION, [0, 158, 115], [204, 121, 167], [230, 159, 0], [86, 180, 233], [118, 118, 118]];

// A picture of cells (rows × columns) on a canvas of that size.
export const paint = (canvas, rows, columns, colour) => {
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d"), image = context.createImageData(columns, rows);
  for (let i = 0; i < rows * columns; i++) image.data.set([...colour(i), 255], 4 * i);
  context.putImageData(image, 0, 0);
  return canvas;
};
