// One run: curves as they grow, gradients by layer, weights, mistakes, what the doctor says, config.
import { Charts, color, controls } from "./curves.js";
import { el, folded, get, link, moment, note, number, seconds, status, svg, table } from "./dom.js";
import { heatmap } from "./heat.js";

const PHASES = { train: 1, validation: 0 };

// quantity -> its lines: train/loss and validation/loss in one chart
export const quantities = (curves) => {
  const found = new Map();
  for (const [name, curve] of Object.entries(curves)) {
    const [phase, rest] = name.includes("/") ? [name.slice(0, name.indexOf("/")), name.slice(name.indexOf("/") + 1)] : ["", name];
    if (!found.has(rest)) found.set(rest, []);
    found.get(rest).push({ name: phase || rest, color: color(PHASES[phase] ?? 2), dash: phase === "train", curve });
  }
  const rate = found.get("learning_rate");
  if (rate && new Set(rate[0].curve.y).size < 2) found.delete("learning_rate"); // constant: the config says it
  return found;
};

const histogram = (each) => {
  const top = Math.max(...each.counts), width = 100 / each.counts.length;
  return el("figure", {}, el("figcaption", {}, `${each.name} (${each.shape.join(" × ")})`),
    svg("svg", { viewBox: "0 0 100 40", preserveAspectRatio: "none", role: "img", "aria-label": `histogram of ${each.name} from ${number(each.low)} to ${number(each.high)}` },
      ...each.counts.map((count, i) => svg("rect", { x: i * width, y: 40 - (38 * count) / top, width: width * 0.94, height: (38 * count) / top }))),
    el("span", { class: "faint" }, `${number(each.low)} … ${number(each.high)}, mean ${number(each.mean)}, std ${number(each.std)}${each.lost ? `, ${each.lost} not finite` : ""}`));
};

const matrix = (found) => {
  const sums = found.confusion_matrix.map((row) => Math.max(row.reduce((a, b) => a + b, 0), 1));
  return el("div", { class: "wide" }, el("table", { class: "matrix" },
    el("tr", {}, el("th", {}, "true ↓ predicted →"), ...found.classes.map((name) => el("th", { scope: "col" }, String(name)))),
    ...found.confusion_matrix.map((row, i) => el("tr", {}, el("th", { scope: "row" }, String(found.classes[i])),
      ...row.map((count, j) => el("td", { class: i === j ? "right" : null, style: `--p:${(100 * (i === j ? count / sums[i] : Math.sqrt(count / sums[i]))).toFixed(0)}`, title: `${found.classes[i]} predicted as ${found.classes[j]}: ${count} of ${sums[i]}` }, number(count)))))));
};

const diagnosis = (found) => el("div", {},
  el("p", {}, found.healthy ? "Nothing inside points to a disease." : ""),
  ...found.verdicts.map((each) => el("pre", { class: "verdict" }, [each.disease + (each.layer ? ` at ${each.layer}` : ""), each.sentence, each.edit ? `\nedit:\n${each.edit.yaml}` : ""].join("\n"))),
  ...found.notes.map((each) => el("p", { class: "faint" }, String(each))));

// The config: what was given and where, then every value, then the file itself.
const configured = ({ config: { text, values, problem }, info }) => {
  if (problem) return [note(problem)];
  const listed = (rows) => table(["key", "value", "origin"], rows.map(([path, value, origin]) => [path, el("code", {}, typeof value === "string" ? value : JSON.stringify(value)), origin ?? "not recorded"]), { class: "config" });
  const given = values.filter(([, , origin]) => origin !== null && origin !== "default");
  return [given.length ? listed(given) : null, folded(`every value (${values.length})`, () => listed(values)), folded("config.yaml", () => el("pre", {}, text)),
    folded("environment", () => table(["", ""], Object.entries(info).filter(([name]) => name !== "origins").map(([name, value]) => [name, typeof value === "object" ? JSON.stringify(value) : value])))].filter(Boolean);
};

// A part that takes a process of its own: asked for by a button.
const asked = (title, address, key, draw) => {
  const place = el("div");
  const button = el("button", { type: "button", onclick: async () => {
    button.disabled = true;
    place.replaceChildren(el("p", { class: "faint" }, "working …"));
    try {
      const found = await get(address, [["key", key]]);
      place.replaceChildren(found.error ? note(found.error) : draw(found));
    } catch (error) { place.replaceChildren(note(error.message)); }
    button.disabled = false;
  } }, title);
  return { node: el("div", {}, el("div", { class: "bar" }, button), place), button };
};

export const run = async (main, key) => {
  const head = el("div"), charts = el("div", { class: "grid" }), flow = el("div"), weights = el("div", { class: "hist" }), config = el("div");
  const view = controls(() => draw());
  const drawn = new Charts(charts);
  const measured = asked("measure on the test data (bp eval)", "api/eval", key, (found) => el("div", {},
    table(["metric", found.split], Object.entries(found.metrics).map(([name, value]) => [name, value])),
    found.confusion_matrix && found.classes.length <= 30 ? matrix(found) : null,
    found.per_class ? folded("every class", () => table(Object.keys(found.per_class[0] ?? {}), found.per_class.map((row) => Object.values(row)))) : null));
  const doctor = asked("ask the doctor (bp doctor)", "api/doctor", key, diagnosis);
  let curves = { curves: {} }, info = null;
  const draw = () => drawn.show(quantities(curves.curves), view.x.value, Number(view.weight.value));

  const tell = () => {
    const best = Object.entries(info.best ?? {}).filter(([name]) => name.includes("/")).map(([name, value]) => [`best ${name}, epoch ${info.best.epoch}`, value]);
    const tiles = [...best, ...Object.entries(info.metrics).filter(([name]) => name.includes("/")), ["epochs", info.of ? `${number(info.epochs)} of ${number(info.of)}` : info.epochs], ["time", seconds(info.seconds)], ["parameters", info.parameters]];
    head.replaceChildren(
      el("h1", {}, info.run_id, " ", status(info.status)),
      el("p", { class: "faint" }, `${info.dataset ?? "–"}, seed ${info.seed ?? "–"}, started ${moment(info.started)}`, info.sweep ? " · " : "", info.sweep ? el("a", { href: link("sweep", info.sweep) }, "its sweep") : ""),
      info.info.reason ? note(String(info.info.reason)) : "",
      info.resume && info.status !== "running" ? el("div", { class: "command" }, el("code", {}, info.resume), el("button", { type: "button", onclick: () => navigator.clipboard?.writeText(info.resume) }, "copy")) : "",
      el("div", { class: "tiles" }, ...tiles.map(([name, value]) => el("div", { class: "tile" }, el("b", {}, number(value)), el("span", {}, name)))));
  };
  const load = async () => {
    [info, curves] = await Promise.all([get("api/run", [["key", key]]), get("api/curves", [["key", key]])]);
    tell();
    draw();
    const recorded = await get("api/flow", [["key", key]]);
    flow.replaceChildren(...(Object.keys(recorded).length
      ? Object.entries(recorded).map(([name, found]) => heatmap(name.replaceAll("_", " "), found))
      : [el("p", { class: "faint" }, "Nothing was recorded; --set trainer.diagnostics=true does.")]));
  };
  const bins = async () => {
    try {
      weights.replaceChildren(...(await get("api/histograms", [["key", key]])).map(histogram));
    } catch (error) { weights.replaceChildren(el("p", { class: "faint" }, error.message)); }
  };
  await load();
  main.replaceChildren(head, el("h2", {}, "Curves"), view.node,
    curves.cut ? note("The log is longer than what is shown: its newest rows.") : "", charts,
    el("h2", {}, "Layers"), flow, el("h2", {}, "Weights"), weights,
    el("h2", {}, "Mistakes"), measured.node, el("h2", {}, "Diagnosis"), doctor.node,
    el("h2", {}, "Config"), config);
  draw();
  config.replaceChildren(...configured(info));
  bins();
  return {
    async update(changed, all) {
      if (!all && !changed.has(key)) return;
      const before = info.status;
      try { await load(); } catch (error) { main.classList.add("gone"); throw error; }
      if (before === "running" && info.status !== "running") { bins(); doctor.button.click(); }
    },
    close: () => main.classList.remove("gone"),
  };
};
