// All runs: a table that filters and sorts as `bp runs ls` does, with a curve and the progress in each row.
import { choice, el, get, link, moment, number, here, remember, seconds, status, svg } from "./dom.js";

const ROWS = 100;
const chosen = new Set();

export const spark = (values) => {
  const kept = values.map((v, i) => [i, v]).filter(([, v]) => v !== null);
  const picture = svg("svg", { class: "spark", viewBox: "0 0 112 24", "aria-hidden": "true" });
  if (kept.length < 2) return picture;
  const low = Math.min(...kept.map(([, v]) => v)), high = Math.max(...kept.map(([, v]) => v));
  const x = (i) => 2 + (108 * i) / Math.max(values.length - 1, 1), y = (v) => 22 - (20 * (v - low)) / (high - low || 1);
  picture.append(svg("path", { d: kept.map(([i, v], k) => `${k ? "L" : "M"}${x(i).toFixed(1)} ${y(v).toFixed(1)}`).join("") }));
  return picture;
};

const progress = (row) => row.status === "running" && row.of
  ? el("span", {}, el("progress", { max: row.of, value: row.epochs, "aria-label": "progress" }), ` ${number(row.epochs)} / ${number(row.of)}`)
  : number(row.epochs);

export const runs = async (main, sweepKey, axes = []) => {
  const { state } = here();
  let sort = state.get("sort") ?? "-started", from = Number(state.get("from")) || 0, listed = null, at = -1;
  const sparks = new Map(), stale = new Set();
  const filter = el("input", { type: "search", placeholder: "words, or conditions: status=completed optimizer.learning_rate<0.01", "aria-label": "filter", value: state.get("where") ?? "" });
  const columns = el("input", { type: "search", placeholder: "more columns: seed,optimizer.learning_rate", "aria-label": "columns", value: state.get("columns") ?? axes.join(",") });
  const compare = el("button", { type: "button", onclick: () => { location.hash = link("compare", "", { runs: [...chosen].join(",") }); } });
  const fold = choice("sweeps", "sweeps", [["folded", "folded"], ["open", "opened"]], () => { from = 0; load(); });
  const folded = () => !sweepKey && !filter.value && fold.value === "folded";
  const body = el("div"), said = el("p", { class: "faint" });
  const pages = el("div", { class: "bar" });
  let typing = 0;
  const ask = (name, input) => () => {
    clearTimeout(typing);
    typing = setTimeout(() => { remember(name, input.value); from = 0; load(); }, 250);
  };
  filter.addEventListener("input", ask("where", filter));
  columns.addEventListener("input", ask("columns", columns));
  main.replaceChildren(el("div", { class: "bar" }, filter, columns, sweepKey ? null : fold.node, compare), said, body, pages);

  const by = (name) => { sort = sort === name ? `-${name}` : name; remember("sort", sort); load(); };
  const head = (name, text = name, attributes = {}) => el("th", { scope: "col", "aria-sort": sort === name ? "ascending" : sort === `-${name}` ? "descending" : "none", ...attributes },
    el("button", { type: "button", onclick: () => by(name) }, text, sort === name ? " ↑" : sort === `-${name}` ? " ↓" : ""));
  const choose = (key) => { if (!chosen.delete(key)) chosen.add(key); draw(); };

  const draw = () => {
    compare.textContent = `compare (${chosen.size})`;
    compare.disabled = chosen.size < 2;
    const asked = columns.value.split(",").map((name) => name.trim()).filter(Boolean);
    const metrics = [...new Set([...["validation/loss", "validation/accuracy", "train/loss"].filter((name) => listed.metrics.includes(name)), ...listed.metrics])].slice(0, 3);
    const wide = { class: "wide-only" };
    const heads = el("tr", {}, el("th", { scope: "col" }, el("span", { title: "chosen for comparison" }, "✓")), head("run_id", "run", { class: "text" }), head("status", "status", { class: "text" }), head("epochs"), el("th", { scope: "col", class: "wide-only text" }, "curve"),
      ...metrics.map((name, i) => head(name, name, i < 1 ? {} : wide)), ...asked.map((name) => head(name)), head("seconds", "time", wide), head("started", "started", wide));
    const rows = listed.rows.map((row, i) => el("tr", { tabindex: "0", class: i === at ? "at" : null, "aria-selected": String(chosen.has(row.key)), "data-key": row.key },
      el("td", {}, el("input", { type: "checkbox", checked: chosen.has(row.key), "aria-label": `choose ${row.run_id}`, onchange: () => choose(row.key) })),
      el("td", { class: "text" }, el("a", { href: link("run", row.key), title: row.run_id }, row.run_id)),
      el("td", { class: "text" }, status(row.status)), el("td", {}, progress(row)),
      el("td", wide, spark(sparks.get(row.key) ?? [])),
      ...metrics.map((name, j) => el("td", j < 1 ? {} : wide, number(row.metrics[name]))),
      ...asked.map((name) => el("td", {}, number(row.columns[name]))),
      el("td", wide, seconds(row.seconds)), el("td", wide, moment(row.started))));
    const folds = folded() ? listed.sweeps.map((own) => el("tr", {}, el("td"), el("td", { class: "text" }, el("a", { href: link("sweep", own.key) }, own.name)),
      el("td", { class: "text", colspan: "12" }, `sweep: ${Object.entries(own.trials).map(([name, count]) => `${number(count)} ${name}`).join(", ") || "no trials yet"}`))) : [];
    remember("from", from || "");
    const y = scrollY, focus = document.activeElement?.closest?.("tr")?.dataset.key;
    body.replaceChildren(el("div", { class: "wide" }, el("table", { class: "runs" }, heads, ...folds, ...rows)));
    if (focus) body.querySelector(`tr[data-key="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
    scrollTo(scrollX, y);
    said.textContent = listed.total === 0
      ? `no runs in ${listed.folders.join(", ")} yet; \`bp train CONFIG\` makes one, and it appears here`
      : `${number(listed.matching)} of ${number(listed.total)} runs${listed.cut ? " (more are not shown)" : ""}`;
    pages.replaceChildren(...(listed.matching > ROWS ? [
      el("button", { type: "button", disabled: from === 0, onclick: () => { from -= ROWS; load(); } }, "previous"),
      el("span", { class: "faint" }, `${from + 1} to ${Math.min(from + ROWS, listed.matching)}`),
      el("button", { type: "button", disabled: from + ROWS >= listed.matching, onclick: () => { from += ROWS; load(); } }, "next")] : []));
  };

  const load = async (changed = null) => {
    try {
      listed = await get("api/runs", [["where", filter.value], ["sort", sort], ["from", from], ["rows", ROWS], ["columns", columns.value], ...(sweepKey ? [["sweep", sweepKey]] : []), ...(folded() ? [["folded", "1"]] : [])]);
    } catch (error) {
      said.textContent = error.message;
      return;
    }
    draw();
    for (const key of changed ?? []) stale.add(key);
    curves(listed); // keys and links need not wait for them
  };
  const curves = async (shown) => {
    const wanted = shown.rows.map((row) => row.key).filter((key) => !sparks.has(key) || stale.has(key));
    for (let i = 0; i < wanted.length && shown === listed; i += 25) {
      const keys = wanted.slice(i, i + 25).map((key) => ["key", key]);
      const more = await get("api/sparks", keys).catch(() => ({}));
      for (const [key, values] of Object.entries(more)) {
        sparks.set(key, values);
        stale.delete(key);
      }
      draw();
    }
  };
  await load();
  document.getElementById("where").textContent = listed.folders.join(", ");

  const move = (by) => {
    at = Math.max(0, Math.min(listed.rows.length - 1, at + by));
    draw();
    const row = body.querySelectorAll("tr[data-key]")[at];
    row?.focus();
    row?.scrollIntoView({ block: "nearest" });
    return true;
  };
  return {
    update: (changed, all) => load(all ? new Set(listed.rows.map((row) => row.key)) : changed),
    close: () => clearTimeout(typing),
    key(name) {
      const row = listed.rows[at];
      if (name === "/") { filter.focus(); return true; }
      if (name === "j") return move(1);
      if (name === "k") return move(-1);
      if (name === "Enter" && row) { location.hash = link("run", row.key); return true; }
      if (name === "x" && row) { choose(row.key); return true; }
      if (name === "c" && chosen.size > 1) { compare.click(); return true; }
      return false;
    },
  };
};
