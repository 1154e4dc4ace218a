// Chooses the view that the address names, and tells it when runs change.
import { el, note, here } from "./dom.js";
import { runs } from "./runs.js";
import { run } from "./run.js";
import { compare } from "./compare.js";
import { sweep } from "./sweep.js";

const VIEWS = { "": runs, run, compare, sweep };
const main = document.getElementById("view"), state = document.getElementById("state"), help = document.getElementById("help");
let shown = null;

const show = async () => {
  const { view, key } = here();
  shown?.close?.();
  main.replaceChildren(el("p", { class: "faint" }, "loading …"));
  const mine = (shown = {});
  try {
    const opened = await (VIEWS[view] ?? runs)(main, key);
    if (shown === mine) shown = opened;
    else opened.close?.();
  } catch (error) {
    if (shown === mine) main.replaceChildren(note(error.message));
  }
};

// Changes that come while a view still fetches are told afterwards, all at once.
let waiting = null, busy = false;
const tell = async (changed) => {
  waiting = waiting === null ? changed : { all: waiting.all || changed.all, changed: [...(waiting.changed ?? []), ...(changed.changed ?? [])] };
  if (busy) return;
  busy = true;
  while (waiting !== null) {
    const now = waiting, start = performance.now();
    waiting = null;
    try { await shown?.update?.(new Set(now.changed ?? []), Boolean(now.all)); } catch (error) { state.textContent = error.message; }
    await new Promise((resume) => setTimeout(resume, Math.min(500, 4 * (performance.now() - start)))); // leave time for what trains
  }
  busy = false;
};

const events = new EventSource("events");
let before = false;
events.addEventListener("open", () => {
  state.textContent = "live";
  state.className = "faint";
  if (before) tell({ all: true }); // something may have happened meanwhile
  before = true;
});
events.addEventListener("error", () => { state.textContent = "the board does not answer; trying again …"; state.className = "lost"; });
events.addEventListener("full", () => { state.textContent = "too many pages listen; reload to see changes"; events.close(); });
events.addEventListener("message", (event) => tell(JSON.parse(event.data)));

addEventListener("hashchange", show);
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest("input, select, textarea");
  if (typing) {
    if (event.key === "Escape") typing.blur();
    return;
  }
  if (event.key === "?") help.showModal();
  else if ((event.key === "u" || event.key === "Escape") && !help.open) location.hash = "#/";
  else if (!shown?.key?.(event.key)) return;
  event.preventDefault();
});
show();
