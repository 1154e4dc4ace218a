// One run: curves as they grow, gradients by layer, weights, mistakes, what the doctor says, config.
import { Charts, color, controls } from "./curves.js";
import { el, folded, get, link, moment, note, number, seconds, status, svg, table } from "./dom.js";
import { heatmap } from "./heat.js";

const PHASES = { train: 1, validation: 0 };

// quantity -> its lines: train/loss and validation/loss in one chart
export const quantities = (curves) => {
  const byName = new Map();
  for (const [name, curve] of Object.entries(curves)) {
    const [phase, rest] = name.includes("/") ? [name.slice(0, name.indexOf("/")), name.slice(name.indexOf("/") + 1)] : ["", name];
    if (!byName.has(rest)) byName.set(rest, []);
    byName.get(rest).push({ name: phase || rest, color: color(PHASES[phase] ?? 2), dash: phase === "train", curve });
  }
  const rate = byName.get("learning_rate");
  if (rate && new Set(rate[0].curve.y).size < 2) byName.delete("learning_rate"); // constant: the config says it
  return byName;
};

const histogram = (array) => {
  const top = Math.max(...array.counts), width = 100 / array.counts.length;
  return el("figure", {}, el("figcaption", {}, `${array.name} (${array.shape.join(" × ")})`),
    svg("svg", { viewBox: "0 0 100 40", preserveAspectRatio: "none", role: "img", "aria-label": `histogram of ${array.name} from ${number(array.low)} to ${number(array.high)}` },
      ...array.counts.map((count, i) => svg("rect", { x: i * width, y: 40 - (38 * count) / top, width: width * 0.94, height: (38 * count) / top }))),
    el("span", { class: "faint" }, `${number(array.low)} … ${number(array.high)}, mean ${number(array.mean)}, std ${number(array.std)}${array.lost ? `, ${array.lost} not finite` : ""}`),
    folded("numbers", () => table(["from", "to", "weights"], array.counts.map((count, i) => [...[i, i + 1].map((edge) => array.low + (edge * (array.high - array.low)) / array.counts.length), count]))));
};

const matrix = (result) => {
  const sums = result.confusion_matrix.map((row) => Math.max(row.reduce((a, b) => a + b, 0), 1));
  return el("div", { class: "wide" }, el("table", { class: "matrix" },
    el("tr", {}, el("th", {}, "true ↓ predicted →"), ...result.classes.map((name) => el("th", { scope: "col" }, String(name)))),
    ...result.confusion_matrix.map((row, i) => el("tr", {}, el("th", { scope: "row" }, String(result.classes[i])),
      ...row.map((count, j) => el("td", { class: i === j ? "right" : null, style: `--p:${(100 * (i === j ? count / sums[i] : Math.sqrt(count / sums[i]))).toFixed(0)}`, title: `${result.classes[i]} predicted as ${result.classes[j]}: ${count} of ${sums[i]}` }, number(count)))))));
};

const diagnosis = (result) => el("div", {},
  el("p", {}, result.healthy ? "Nothing inside points to a disease." : ""),
  ...result.verdicts.map((verdict) => el("pre", { class: "verdict" }, [verdict.disease + (verdict.layer ? ` at ${verdict.layer}` : ""), verdict.sentence, verdict.edit ? `\nedit:\n${verdict.edit.yaml}` : ""].join("\n"))),
  ...result.notes.map((text) => el("p", { class: "faint" }, String(text))));

// The config: what was given and where, then every value, then the file itself.
const configured = ({ config: { text, values, problem }, info }) => {
  if (problem) return [note(problem)];
  const listed = (rows) => table(["key", "value", "origin"], rows.map(([path, value, origin]) => [path, el("code", {}, typeof value === "string" ? value : JSON.stringify(value)), origin ?? "not recorded"]), { class: "config" });
  const given = values.filter(([, , origin]) => origin !== null && origin !== "default");
  return [given.length ? listed(given) : null, folded(`every value (${values.length})`, () => listed(values)), folded("config.yaml", () => el("pre", {}, text)),
    folded("environment", () => table(["", ""], Object.entries(info).filter(([name]) => name !== "origins").map(([name, value]) => [name, typeof value === "object" ? JSON.stringify(value) : value])))].filter(Boolean);
};

// A part that takes a process of its own: asked for by a button, and once the part is in view of a run that has ended.
export const asked = (title, address, key, draw, isReady = () => true) => {
  const answer = el("div");
  const button = el("button", { type: "button", onclick: async () => {
    button.disabled = true;
    answer.replaceChildren(el("p", { class: "faint" }, "working …"));
    try {
      const result = await get(address, [["key", key]]);
      answer.replaceChildren(result.error ? note(result.error) : draw(result));
    } catch (error) { answer.replaceChildren(note(error.message)); }
    button.disabled = false;
  } }, title);
  const node = el("div", {}, el("div", { class: "bar" }, button), answer);
  const seen = new IntersectionObserver(([entry]) => {
    if (!entry.isIntersecting || !isReady()) return;
    seen.disconnect();
    button.click();
  });
  seen.observe(node);
  return { node, ask: () => { seen.disconnect(); button.click(); } };
};

export const run = async (main, key) => {
  const head = el("div"), charts = el("div", { class: "grid" }), flow = el("div"), weights = el("div"), config = el("div");
  const view = controls(() => draw());
  const drawn = new Charts(charts);
  const measured = asked("measure on the test data (bp eval)", "api/eval", key, (result) => el("div", {},
    table(["metric", result.split, "95 % interval"], Object.entries(result.metrics).map(([name, value]) => [name, value, result.intervals?.[name]?.map(number).join(" to ") ?? null])),
    result.confusion_matrix && result.classes.length <= 30 ? matrix(result) : null,
    result.worst?.length ? el("div", {}, el("h3", {}, "Worst mistakes"), table(Object.keys(result.worst[0]), result.worst.map((row) => Object.values(row)))) : null,
    result.per_class ? folded("every class", () => table(Object.keys(result.per_class[0] ?? {}), result.per_class.map((row) => Object.values(row)))) : null), () => info?.status === "completed");
  const doctor = asked("ask the doctor (bp doctor)", "api/doctor", key, diagnosis, () => info !== null);
  let curves = { curves: {} }, info = null, nextFlow = 0, examined = 0; // the epochs that the doctor has seen
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
  const recorded = async () => {
    nextFlow = performance.now() + 5000; // over the whole training, little changes in a second
    try {
      const maps = await get("api/flow", [["key", key]]);
      flow.replaceChildren(...(Object.keys(maps).length
        ? Object.entries(maps).map(([name, result]) => heatmap(name.replaceAll("_", " "), result))
        : [el("p", { class: "faint" }, "Nothing was recorded; --set trainer.diagnostics=true does.")]));
    } catch (error) { flow.replaceChildren(el("p", { class: "faint" }, error.message)); }
  };
  const load = async () => {
    [info, curves] = await Promise.all([get("api/run", [["key", key]]), get("api/curves", [["key", key]])]);
    tell();
    draw();
  };
  const bins = async () => {
    try {
      weights.replaceChildren(el("div", { class: "hist" }, ...(await get("api/histograms", [["key", key]])).map(histogram)));
    } catch (error) { weights.replaceChildren(el("p", { class: "faint" }, error.message)); }
  };
  await load();
  examined = info.epochs;
  main.replaceChildren(head, el("h2", {}, "Curves"), view.node,
    curves.cut ? note("The log is longer than what is shown: its newest rows.") : "", charts,
    el("h2", {}, "Layers"), flow, el("h2", {}, "Weights"), weights,
    el("h2", {}, "Mistakes"), measured.node, el("h2", {}, "Diagnosis"), doctor.node,
    el("h2", {}, "Config"), config);
  draw();
  config.replaceChildren(...configured(info));
  recorded();
  bins();
  return {
    async update(changed, all) {
      if (!all && !changed.has(key)) return;
      const before = info.status;
      try { await load(); } catch (error) { main.classList.add("gone"); throw error; }
      if (info.status !== "running" || performance.now() >= nextFlow) await recorded();
      const ended = before === "running" && info.status !== "running";
      if (ended) { bins(); measured.ask(); }
      if (ended || (info.status === "running" && info.epochs >= Math.max(1, 2 * examined))) { examined = info.epochs; doctor.ask(); } // seldom: it takes a second
    },
    close: () => main.classList.remove("gone"),
  };
};
