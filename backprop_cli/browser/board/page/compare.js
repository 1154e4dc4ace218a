// Several runs: their curves over one another, mean and band over seeds, what differs in config and result.
import { Charts, color, controls } from "./curves.js";
import { choice, el, get, link, here, table } from "./dom.js";
import { quantities } from "./run.js";

// Mean ± one standard deviation over the curves of a group, at every x that any of them has.
const band = (curves, x) => {
  const xs = [...new Set(curves.flatMap((c) => c[x]))].filter((v) => v !== null).sort((a, b) => a - b);
  const values = curves.map((c) => new Map(c[x].map((v, i) => [v, c.y[i]])));
  const rows = xs.map((v) => values.map((own) => own.get(v) ?? null).filter((y) => y !== null)).map((ys, i) => [xs[i], ys]).filter(([, ys]) => ys.length);
  const mean = rows.map(([, ys]) => ys.reduce((a, b) => a + b) / ys.length);
  const std = rows.map(([, ys], i) => Math.sqrt(ys.reduce((a, b) => a + (b - mean[i]) ** 2, 0) / ys.length));
  return { curve: { [x]: rows.map(([v]) => v), y: mean }, low: mean.map((m, i) => m - std[i]), high: mean.map((m, i) => m + std[i]) };
};

export const compare = async (main) => {
  const keys = (here().state.get("runs") ?? "").split(",").filter(Boolean);
  const comparison = await get("api/compare", keys.map((key) => ["key", key]));
  const curves = new Map();
  const fetched = async (wanted) => Promise.all(wanted.map(async (key) => curves.set(key, (await get("api/curves", [["key", key]])).curves)));
  const charts = el("div", { class: "grid" }), drawn = new Charts(charts), rows = el("div");
  const view = controls(() => draw());
  const phase = choice("of", "phase", [["validation", "validation"], ["train", "training"], ["both", "both"]], () => draw());
  const group = choice("seeds", "group", [["each", "a line each"], ["mean", "mean and band"]], () => draw());

  const draw = () => {
    const all = new Map();
    const add = (quantity, line) => { if (!all.has(quantity)) all.set(quantity, []); all.get(quantity).push(line); };
    const wanted = (line, lines) => phase.value === "both" || line.name === phase.value || !["train", "validation"].includes(line.name)
      || (phase.value === "validation" && !lines.some((other) => other.name === "validation"));
    const perRun = keys.map((key) => quantities(curves.get(key) ?? {}));
    const named = (label, line) => (["train", "validation"].includes(line.name) && phase.value === "both" ? `${label}, ${line.name}` : label);
    if (group.value === "mean") {
      Object.entries(comparison.groups).forEach(([label, members], i) => {
        const gathered = new Map();
        for (const member of members) for (const [quantity, lines] of perRun[member]) for (const line of lines.filter((own) => wanted(own, lines))) {
          const name = `${quantity}\n${line.name}`;
          if (!gathered.has(name)) gathered.set(name, { quantity, line, curves: [] });
          gathered.get(name).curves.push(line.curve);
        }
        for (const { quantity, line, curves: own } of gathered.values()) add(quantity, { name: `${named(label, line)} (${own.length})`, color: color(i), dash: line.dash && phase.value === "both", ...band(own, view.x.value) });
      });
    } else {
      perRun.forEach((own, i) => {
        for (const [quantity, lines] of own) for (const line of lines.filter((one) => wanted(one, lines))) add(quantity, { ...line, name: named(comparison.labels[i], line), color: color(i), dash: line.dash && phase.value === "both" });
      });
    }
    drawn.show(all, view.x.value, Number(view.weight.value));
  };
  await fetched(keys);
  view.node.append(phase.node, group.node);
  main.replaceChildren(el("h1", {}, `${keys.length} runs compared`), view.node, charts, el("h2", {}, "What differs"), rows);
  const differences = (now) => rows.replaceChildren(el("div", { class: "wide" }, table(["", ...now.labels], now.rows.map((row) => [`${row[0]} ${row[1]}`, ...row.slice(2, -1)]))),
    el("p", {}, ...keys.flatMap((key, i) => [el("a", { href: link("run", key) }, now.labels[i]), " "])));
  differences(comparison);
  draw();
  return {
    async update(changed, all) {
      const mine = keys.filter((key) => all || changed.has(key));
      if (!mine.length) return;
      await fetched(mine);
      Object.assign(comparison, await get("api/compare", keys.map((key) => ["key", key])));
      differences(comparison);
      draw();
    },
  };
};
