// Buttons and keys ask the engine; what it sends is drawn.
/* global chart */
import { bytes, diverging, paint } from "./data.js";
import { el, folded, note, number, table } from "./dom.js";
import { Lesson } from "./lesson.js";
import { Network } from "./network.js";
import { Plane } from "./plane.js";
import { Settings } from "./settings.js";
import { Try } from "./try.js";

const $ = (id) => document.getElementById(id);
const SPEEDS = [[1, "1 a second"], [3, "3 a second"], [10, "10 a second"], [30, "30 a second"], [100, "100 a second"], [1e6, "as fast as it goes"]];
const told = $("told"), state = $("state"), help = $("help");
let model = null, frame = null, wanted = null;

const say = (text, bad = false) => {
  told.textContent = text;
  told.className = bad ? "bad" : "";
};
const send = async (address, body) => {
  const response = await fetch(address, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  const result = await response.json().catch(() => ({ error: `the server answered ${response.status}` }));
  if (!response.ok) throw new Error(result.error);
  return result;
};
const act = (verb, what = {}) => send("do", { do: verb, ...what }).catch((error) => { say(error.message, true); return null; });

const ACTS = {
  run: ["run", " ", () => act(frame?.running ? "pause" : "run")],
  forward: ["layer forward", "f", () => act("forward")],
  backward: ["layer back", "b", () => act("backward")],
  step: ["step", "s", () => act("step")],
  epoch: ["epoch", "e", () => act("epoch")],
  undo: ["back in time", "ArrowLeft", () => act("back", { steps: 1 })],
  restart: ["start again", "r", () => act("restart")],
  seed: ["other seed", "n", () => act("restart", { seed: model.seed + 1 })],
};
const HINTS = { " ": "space", ArrowLeft: "←" };
const buttons = Object.fromEntries(Object.entries(ACTS).map(([name, [text, key, go]]) =>
  [name, el("button", { type: "button", id: name, onclick: go }, el("span", {}, text), el("kbd", {}, HINTS[key] ?? key))]));
$("controls").append(...Object.values(buttons));

const speed = el("select", { onchange: () => act("speed", { steps: Number(speed.value) }) }, ...SPEEDS.map(([value, text]) => el("option", { value }, text)));
speed.value = "10";
const time = el("input", { type: "range", min: 0, max: 0, step: 1, "aria-label": "step", onchange: () => act("go_to", { step: Number(time.value) }) });
const timed = el("span");
const sample = el("input", { type: "number", min: 0, value: 0, "aria-label": "example", onchange: () => choose(Number(sample.value)) });
const edges = el("select", { onchange: () => { network.edges = edges.value; if (frame) network.widths(frame); } }, el("option", { value: "W" }, "weights"), el("option", { value: "dW" }, "gradients"));
$("choices").append(el("label", {}, "steps", speed), el("label", {}, "time", time, timed), el("label", {}, "example", sample), el("label", {}, "edges", edges),
  el("button", { type: "button", onclick: () => help.showModal() }, "keys"));

const choose = (k) => { if (model) act("choose", { sample: Math.max(0, Math.min(model.samples - 1, Math.round(k) || 0)) }); };
const network = new Network($("network"), (list, pinned) => { if (list.length) point(list, pinned); });
const plane = new Plane($("right"), choose, (x) => act("look", { x }));
const losses = el("figure", { class: "chart", "data-quantity": "loss" }, el("figcaption", {}, el("span", {}, "loss")));
const norms = el("figure", {}, el("figcaption", {}, "‖gradient‖ by layer, last batch"), el("div", { class: "bars" }));
const filters = el("figure", { hidden: true }, el("figcaption", {}, el("span")), el("div", { class: "filters" }));
$("right").append(losses, norms, filters);
const settings = new Settings($("settings"), $("changes"), $("saving"), act);
const trying = new Try($("try"), act);
const lesson = new Lesson($("lesson"), act);
let drawn = null;

const TITLES = { y: "output", "δ": "∂loss/∂z" };
const explained = (explanation) => el("div", {},
  el("h3", {}, `${explanation.name} = ${number(explanation.value)}`, TITLES[explanation.name.slice(0, 1)] ? ` (${TITLES[explanation.name.slice(0, 1)]})` : ""),
  ...(explanation.lines.length ? explanation.lines.map((line) => el("pre", {}, line)) : explanation.symbols.map((line) => el("p", { class: "eq" }, line))),
  explanation.gradient === null ? null : el("p", { class: "faint" }, `gradient ${number(explanation.gradient)} · finite difference ${number(explanation.numeric)} · relative error ${explanation.error.toExponential(0)}`,
    explanation.batch === null ? "" : ` · in the batch of the last step ${number(explanation.batch)}`));
const empty = () => $("point").replaceChildren(el("p", { class: "faint" }, "Point at a unit, an edge or a pixel: its line of bp trace, with the numbers put in, and its finite difference. Click to keep it."));
const point = async (list, pinned) => {
  if (pinned) wanted = list;
  else if (wanted) return;
  const mine = (point.mine = {});
  const explanations = await Promise.all(list.map((number) => send("do", { do: "point", ...number }).catch(() => null)));
  if (point.mine === mine && explanations.some(Boolean)) $("point").replaceChildren(...explanations.filter(Boolean).map(explained), pinned ? el("button", { type: "button", onclick: () => { wanted = null; empty(); } }, "let go") : "");
};

const onModel = (received) => {
  model = received;
  wanted = null;
  drawn = null;
  losses.replaceChildren(el("figcaption", {}, el("span", {}, "loss")));
  $("where").textContent = `${received.source} · seed ${received.seed} · ${received.loss}, ${received.optimizer} · ${number(received.parameters)} parameters`;
  sample.max = received.samples - 1;
  network.model(received);
  plane.model(received);
  settings.model(received);
  trying.model(received);
  lesson.model(received);
  filters.hidden = true;
  empty();
  if (received.remark) $("point").append(note(received.remark));
};

const onFrame = (picture) => {
  if (picture.ended) { state.textContent = "the engine has ended; start bp play again"; state.className = "lost"; return; }
  frame = picture;
  buttons.run.firstChild.textContent = picture.running ? "pause" : "run";
  buttons.run.classList.toggle("on", picture.running);
  if (picture.note || !picture.running) say(picture.note);
  else say("running");
  time.min = picture.oldest;
  time.max = Math.max(picture.furthest, 1);
  if (document.activeElement !== time || picture.running) time.value = picture.step;
  timed.textContent = `${number(picture.step)} of ${number(picture.furthest)}`;
  if (document.activeElement !== sample) sample.value = picture.sample ?? "";
  const loss = picture.curves?.batch?.y.at(-1);
  if (loss !== undefined) onFrame.loss = loss;
  if (picture.step === 0) onFrame.loss = null;
  const rows = [["step", picture.step], [`epoch; config: ${number(model.epochs)}`, picture.epoch], ["learning rate", picture.rate], ["loss of the batch", onFrame.loss ?? null], ["loss of the example", picture.sample === null ? null : picture.example_loss], ["answer", picture.answer === null ? null : answer(picture.answer)], ...Object.entries(picture.row)];
  $("tiles").replaceChildren(...rows.map(([name, value]) => el("div", { class: "tile" }, el("b", {}, number(value)), el("span", {}, name))));
  network.frame(picture);
  plane.frame(picture);
  bars(picture.norms);
  lesson.frame(picture);
  if (picture.curves) curves(picture.curves);
  pictures(picture);
  if (wanted && !picture.running) point(wanted, true);
};

const answer = (said) => (typeof said === "number" ? said : Array.isArray(said) ? said.slice(0, 4).map((v) => number(v)).join(" ") : String(said).slice(0, 24));

const curves = (byName) => {
  const names = { batch: ["each batch", "var(--s6)", true], "train/loss": ["train, by epoch", "var(--s1)", false], "validation/loss": ["validation, by epoch", "var(--s0)", false] };
  const series = Object.entries(byName).filter(([name]) => model.steps_per_epoch > 1 || name !== "batch" || !byName["train/loss"]).map(([name, curve]) => ({ name: names[name][0], color: names[name][1], dash: false, faint: false, ...curve }));
  const positive = series.flatMap((s) => s.y).filter((v) => v !== null);
  const data = { x: "step", label: "loss against step", log: positive.length > 0 && positive.every((v) => v > 0) && Math.max(...positive) / Math.min(...positive) > 50, whole: true, series };
  if (!series.length) { losses.replaceChildren(el("figcaption", {}, el("span", {}, "loss")), el("p", { class: "faint" }, "No step has been made.")); drawn = null; return; }
  if (drawn) drawn.set(data);
  else {
    losses.replaceChildren(el("figcaption", {}, el("span", {}, "loss")));
    drawn = chart(losses, data);
    losses.append(folded("numbers", () => table(["step", "loss"], (frame.curves?.["train/loss"] ?? frame.curves?.batch ?? { x: [], y: [] }).x.slice(-30).map((x, i, all) => [x, (frame.curves["train/loss"] ?? frame.curves.batch).y.at(i - all.length)]))));
  }
};

const bars = (byLayer) => {
  const entries = Object.entries(byLayer), values = entries.map(([, v]) => v).filter((v) => v > 0);
  norms.hidden = !entries.length;
  const low = Math.log10(Math.min(...values)) - 0.3, high = Math.log10(Math.max(...values));
  norms.lastChild.replaceChildren(...entries.flatMap(([name, v]) => {
    const bar = el("i");
    bar.style.setProperty("--p", v > 0 ? (100 * (Math.log10(v) - low)) / Math.max(high - low, 0.3) : 0);
    return [el("span", {}, name), bar, el("span", {}, v === null ? "not finite" : v.toExponential(1))];
  }));
};

const pictures = (picture) => {
  const [name, filtering] = Object.entries(picture.layers).find(([, layer]) => layer.filters) ?? [];
  filters.hidden = !filtering;
  if (!filtering) return;
  const { shape: [count, rows, columns], cells, limit, count: all } = filtering.filters, values = bytes(cells), own = filters.lastChild;
  filters.firstChild.firstChild.textContent = `${name}: ${count < all ? `the first ${count} of ` : ""}${all} filters, |w| up to ${number(limit)}`;
  while (own.children.length < count) own.append(el("canvas", { "aria-hidden": "true" }));
  while (own.children.length > count) own.lastChild.remove();
  [...own.children].forEach((canvas, k) => paint(canvas, rows, columns, (i) => diverging(values[k * rows * columns + i] / 255)));
};

// Pictures that come faster than the screen shows them are skipped.
let next = null;
const events = new EventSource("events");
events.addEventListener("open", () => { state.textContent = "live"; state.className = "faint"; });
events.addEventListener("error", () => { state.textContent = "the server does not answer; trying again …"; state.className = "lost"; });
events.addEventListener("full", () => { state.textContent = "too many pages listen; close one and reload"; events.close(); });
events.addEventListener("model", (event) => onModel(JSON.parse(event.data)));
events.addEventListener("frame", (event) => {
  if (next === null) requestAnimationFrame(() => {
    const text = next;
    next = null;
    onFrame(JSON.parse(text));
    document.body.dataset.frames = Number(document.body.dataset.frames ?? 0) + 1;
  });
  next = event.data;
});

const faster = (by) => {
  speed.selectedIndex = Math.max(0, Math.min(SPEEDS.length - 1, speed.selectedIndex + by));
  speed.dispatchEvent(new Event("change"));
};
const KEYS = {
  ...Object.fromEntries(Object.values(ACTS).map(([, key, go]) => [key, go])),
  ArrowRight: () => act("go_to", { step: frame.step + 1 }),
  j: () => choose((frame.sample ?? -1) + 1),
  k: () => choose((frame.sample ?? 1) - 1),
  "+": () => faster(1),
  "-": () => faster(-1),
  g: () => { edges.selectedIndex = 1 - edges.selectedIndex; edges.dispatchEvent(new Event("change")); },
  "?": () => help.showModal(),
};
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || help.open || !frame) return;
  if (event.target.closest("input, select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === " " && event.target.closest("button, summary")) return;
  const go = KEYS[event.key];
  if (!go) return;
  go();
  event.preventDefault();
});
