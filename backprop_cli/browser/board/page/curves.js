// The curves of one or several runs as charts: a chart a quantity, its axis and smoothing chosen by the reader.
/* global chart */
import { choice, el, folded, here, note, remember, table } from "./dom.js";

const COLORS = 7;
export const color = (i) => `var(--s${i % COLORS})`;

// Exponential moving average, corrected for its start (Kingma & Ba 2015, section 3); gaps stay gaps.
export const smooth = (values, weight) => {
  if (!weight) return values;
  let mean = 0, sum = 0;
  return values.map((v) => {
    if (v === null) return null;
    mean = weight * mean + (1 - weight) * v;
    sum = weight * sum + (1 - weight);
    return mean / sum;
  });
};

const decades = (series) => {
  const values = series.flatMap((s) => s.y).filter((v) => v !== null);
  return values.length > 0 && values.every((v) => v > 0) && Math.max(...values) / Math.min(...values) > 50;
};

export const controls = (change) => {
  const x = choice("against", "x", [["epoch", "epoch"], ["step", "step"], ["time", "time (s)"]], change);
  const weight = choice("smoothing", "smooth", [["0", "none"], ["0.6", "little"], ["0.9", "much"], ["0.98", "most"]], change);
  return { x, weight, node: el("div", { class: "bar" }, x.node, weight.node) };
};

// lines: [{name, color, dash, faint, curve: {epoch, step, time, y}, low, high}] by quantity
export class Charts {
  constructor(parent) {
    this.parent = parent;
    this.drawn = new Map();
    this.empty = note("No epoch has been measured.");
    parent.append(this.empty);
  }

  show(quantities, x, weight) {
    for (const [name, lines] of quantities) {
      const series = lines.flatMap((line) => {
        const at = { x: line.curve[x], y: smooth(line.curve.y, weight), low: line.low, high: line.high };
        const kept = at.x.map((v, i) => [v, i]).filter(([v]) => v !== null);
        const own = { name: line.name, color: line.color, dash: Boolean(line.dash), faint: Boolean(line.faint), x: kept.map(([v]) => v), y: kept.map(([, i]) => at.y[i]) };
        if (at.low) Object.assign(own, { low: kept.map(([, i]) => at.low[i]), high: kept.map(([, i]) => at.high[i]) });
        return weight && !line.faint && !line.low ? [{ ...own, name: `${line.name} `, y: kept.map(([, i]) => line.curve.y[i]), faint: true }, own] : [own];
      });
      const data = { x: x === "time" ? "time of training (s)" : x, label: `${name} against ${x}`, log: here().state.has(`scale ${name}`) ? here().state.get(`scale ${name}`) === "log" : decades(series), whole: x === "epoch", series };
      const before = this.drawn.get(name);
      if (before) {
        before.chart.set(data);
        before.lines.data = series;
        continue;
      }
      const lines_ = { data: series };
      const figure = el("figure", { class: "chart", "data-quantity": name }, el("figcaption", {}, el("span", {}, name.replaceAll("_", " "))));
      const holder = el("div", {}, figure, folded("numbers", () => numbers(lines_.data, x)));
      figure.addEventListener("scale", (event) => remember(`scale ${name}`, event.detail)); // the link keeps it
      this.parent.append(holder);
      this.drawn.set(name, { chart: chart(figure, data), lines: lines_, holder });
    }
    this.empty.hidden = quantities.size > 0;
    for (const [name, { holder }] of this.drawn) {
      if (!quantities.has(name)) {
        holder.remove();
        this.drawn.delete(name);
      }
    }
  }
}

// A chart's table: at most fifty of its x, the last among them.
const numbers = (series, x) => {
  const shown = series.filter((s) => !s.faint);
  const all = [...new Set(shown.flatMap((s) => s.x))].sort((a, b) => a - b);
  const stride = Math.ceil(all.length / 50);
  const kept = all.filter((_, i) => i % stride === 0 || i === all.length - 1);
  return table([x, ...shown.map((s) => s.name)], kept.map((v) => [v, ...shown.map((s) => (s.x.includes(v) ? s.y[s.x.indexOf(v)] : null))]));
};
