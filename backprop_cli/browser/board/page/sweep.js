// A sweep: a line a trial through parallel axes (Inselberg 1985), coloured by its result; the best so far; its runs.
import { el, get, link, number, svg, table } from "./dom.js";
import { asked } from "./run.js";
import { runs } from "./runs.js";

const TOP = 36, BOTTOM = 30, HEIGHT = 352;

// Where the values of an axis stand, from 0 (bottom) to 1: numbers by size, by decades where they span many; else in order.
const axis = (name, values) => {
  const numbers = values.map(Number), numeric = values.length > 0 && values.every((v, i) => v !== "" && v !== null && Number.isFinite(numbers[i]));
  if (!numeric) {
    const all = [...new Set(values.map(String))].sort();
    return { name, at: (v) => (all.length > 1 ? all.indexOf(String(v)) / (all.length - 1) : 0.5), ends: [all[0] ?? "", all.at(-1) ?? ""] };
  }
  const low = Math.min(...numbers), high = Math.max(...numbers), log = low > 0 && high / low >= 50;
  const f = log ? Math.log : (v) => v;
  return { name, at: (v) => (high > low ? (f(Number(v)) - f(low)) / (f(high) - f(low)) : 0.5), ends: [number(low), number(high)] };
};

const picture = (data, smaller) => {
  const trials = data.trials.filter((trial) => trial.score !== null);
  const axes = [...data.axes.map((name) => axis(name, trials.map((trial) => trial.values[name] ?? ""))), axis(data.monitor ?? "", trials.map((trial) => trial.score))];
  const width = Math.max(480, axes.length * 130), x = (i) => 60 + (i * (width - 120)) / Math.max(axes.length - 1, 1), y = (t) => HEIGHT - BOTTOM - t * (HEIGHT - TOP - BOTTOM);
  const value = (trial, i) => (i < data.axes.length ? trial.values[data.axes[i]] : trial.score);
  const best = trials.reduce((a, b) => (a === null || (smaller ? b.score < a.score : b.score > a.score) ? b : a), null);
  const box = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": `${trials.length} trials over ${axes.map((scale) => scale.name).join(", ")}; the table below has the numbers` });
  for (const trial of [...trials.filter((other) => other !== best), ...(best ? [best] : [])]) {
    const good = axes.at(-1).at(trial.score), share = Math.round(100 * (smaller ? 1 - good : good));
    const line = svg("path", { d: axes.map((scale, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(scale.at(value(trial, i))).toFixed(1)}`).join(""), class: trial === best ? "best" : null, onclick: () => { location.hash = link("run", trial.key); } },
      svg("title", {}, `${trial.run_id}: ${axes.map((scale, i) => `${scale.name}=${number(value(trial, i))}`).join(", ")}`));
    line.style.stroke = `color-mix(in oklab, var(--s0) ${share}%, var(--s4))`;
    box.append(line);
  }
  axes.forEach((scale, i) => box.append(svg("line", { x1: x(i), x2: x(i), y1: TOP, y2: HEIGHT - BOTTOM }),
    svg("text", { x: x(i) + (i === 0 ? -55 : i === axes.length - 1 ? 55 : 0), y: 16, "text-anchor": i === 0 ? "start" : i === axes.length - 1 ? "end" : "middle" }, scale.name.split(".").slice(-2).join(".")),
    svg("text", { x: x(i), y: TOP - 6, "text-anchor": "middle", class: "end" }, String(scale.ends[1])),
    svg("text", { x: x(i), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle", class: "end" }, String(scale.ends[0]))));
  return { box, best };
};

export const sweep = async (main, key) => {
  const head = el("div"), axes = el("div", { class: "axes" }), list = el("div");
  const mattered = asked("what mattered (bp runs summary --importance)", "api/importance", key, (result) =>
    table(["key", "importance"], result.importance.map((row) => [row.key, row.importance])));
  const draw = async () => {
    const data = await get("api/sweep", [["key", key]]);
    const smaller = !/accuracy|auc|r2|f1|precision|recall|score/.test(data.monitor ?? "");
    const { box, best } = picture(data, smaller);
    const counts = {};
    for (const trial of data.trials) counts[trial.status] = (counts[trial.status] ?? 0) + 1;
    head.replaceChildren(el("h1", {}, data.name),
      el("p", { class: "faint" }, Object.entries(counts).map(([name, count]) => `${count} ${name}`).join(", ")),
      best ? el("p", {}, "best so far: ", el("a", { href: link("run", best.key) }, best.run_id), ` ${data.axes.map((name) => `${name}=${number(best.values[name])}`).join(", ")}, ${data.monitor} ${number(best.score)}`) : "");
    axes.replaceChildren(best ? box : el("p", { class: "faint" }, "No trial has a result yet."));
    return data;
  };
  const { axes: varied } = await draw();
  main.replaceChildren(head, axes, mattered.node, list);
  const inner = await runs(list, key, varied);
  return { ...inner, async update(changed, all) { await draw(); await inner.update(changed, all); } };
};
