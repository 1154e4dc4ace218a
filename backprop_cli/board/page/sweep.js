// A sweep: a line a trial through parallel axes (Inselberg 1985), coloured by its result; the best so far; its runs.
import { el, get, link, number, svg } from "./dom.js";
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

const picture = (found, smaller) => {
  const trials = found.trials.filter((trial) => trial.score !== null);
  const axes = [...found.axes.map((name) => axis(name, trials.map((trial) => trial.values[name] ?? ""))), axis(found.monitor ?? "", trials.map((trial) => trial.score))];
  const width = Math.max(480, axes.length * 130), x = (i) => 60 + (i * (width - 120)) / Math.max(axes.length - 1, 1), y = (t) => HEIGHT - BOTTOM - t * (HEIGHT - TOP - BOTTOM);
  const value = (trial, i) => (i < found.axes.length ? trial.values[found.axes[i]] : trial.score);
  const best = trials.reduce((a, b) => (a === null || (smaller ? b.score < a.score : b.score > a.score) ? b : a), null);
  const box = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": `${trials.length} trials over ${axes.map((each) => each.name).join(", ")}; the table below has the numbers` });
  for (const trial of [...trials.filter((each) => each !== best), ...(best ? [best] : [])]) {
    const good = axes.at(-1).at(trial.score), share = Math.round(100 * (smaller ? 1 - good : good));
    const line = svg("path", { d: axes.map((each, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(each.at(value(trial, i))).toFixed(1)}`).join(""), class: trial === best ? "best" : null, onclick: () => { location.hash = link("run", trial.key); } },
      svg("title", {}, `${trial.run_id}: ${axes.map((each, i) => `${each.name}=${number(value(trial, i))}`).join(", ")}`));
    line.style.stroke = `color-mix(in oklab, var(--s0) ${share}%, var(--s4))`;
    box.append(line);
  }
  axes.forEach((each, i) => box.append(svg("line", { x1: x(i), x2: x(i), y1: TOP, y2: HEIGHT - BOTTOM }),
    svg("text", { x: x(i), y: 16, "text-anchor": "middle" }, each.name.split(".").slice(-2).join(".")),
    svg("text", { x: x(i), y: TOP - 6, "text-anchor": "middle", class: "end" }, String(each.ends[1])),
    svg("text", { x: x(i), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle", class: "end" }, String(each.ends[0]))));
  return { box, best };
};

export const sweep = async (main, key) => {
  const head = el("div"), axes = el("div", { class: "axes" }), list = el("div");
  const draw = async () => {
    const found = await get("api/sweep", [["key", key]]);
    const smaller = !/accuracy|auc|r2|f1|precision|recall|score/.test(found.monitor ?? "");
    const { box, best } = picture(found, smaller);
    const counts = {};
    for (const trial of found.trials) counts[trial.status] = (counts[trial.status] ?? 0) + 1;
    head.replaceChildren(el("h1", {}, found.name),
      el("p", { class: "faint" }, Object.entries(counts).map(([name, count]) => `${count} ${name}`).join(", ")),
      best ? el("p", {}, "best so far: ", el("a", { href: link("run", best.key) }, best.run_id), ` ${found.axes.map((name) => `${name}=${number(best.values[name])}`).join(", ")}, ${found.monitor} ${number(best.score)}`) : "");
    axes.replaceChildren(best ? box : el("p", { class: "faint" }, "No trial has a result yet."));
  };
  await draw();
  main.replaceChildren(head, axes, list);
  const inner = await runs(list, key);
  return { ...inner, async update(changed, all) { await draw(); await inner.update(changed, all); } };
};
