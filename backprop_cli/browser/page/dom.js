// Nodes, numbers and requests. What comes from a run becomes text, never markup.
const NS = "http://www.w3.org/2000/svg";

const fill = (node, attributes, children) => {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
};

export const el = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);
export const svg = (name, attributes, ...children) => fill(document.createElementNS(NS, name), attributes, children);

export const number = (value) => {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number") return typeof value === "object" ? JSON.stringify(value) : String(value);
  if (Number.isInteger(value)) return value.toLocaleString("en-US");
  const size = Math.abs(value);
  return size >= 1e6 || size < 1e-4 ? value.toExponential(3) : String(+value.toPrecision(4));
};

export const seconds = (value) => {
  if (typeof value !== "number") return "–";
  if (value < 60) return `${value.toFixed(value < 10 ? 1 : 0)} s`;
  const minutes = Math.floor(value / 60);
  return minutes < 60 ? `${minutes} min ${Math.round(value % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
};

export const moment = (text) => {
  const date = new Date(text ?? NaN);
  return Number.isNaN(date.getTime()) ? "–" : date.toLocaleString(undefined, { dateStyle: "short", timeStyle: "medium" });
};

export const status = (value) => el("span", { class: `status ${/^[a-z]+$/.test(value) ? value : ""}` }, String(value));

const isText = (cell) => typeof cell === "string" || cell instanceof Node;
export const table = (heads, rows, attributes = {}) =>
  el("div", { class: "wide" }, el("table", attributes,
    el("tr", {}, ...heads.map((head, i) => el("th", { scope: "col", class: rows.length && rows.every((row) => isText(row[i])) ? "text" : null }, String(head)))),
    ...rows.map((row) => el("tr", {}, ...row.map((cell) =>
      el("td", { class: isText(cell) ? "text" : null }, cell instanceof Node ? cell : number(cell)))))));

export const folded = (title, make) => {
  const heading = el("summary", {}, title), result = el("details", {}, heading);
  result.addEventListener("toggle", () => { if (result.open) result.replaceChildren(heading, make()); }); // as it is now
  return result;
};

export const note = (text) => el("p", { class: "note" }, text);

export const get = async (address, query = []) => {
  const response = await fetch(`${address}?${new URLSearchParams(query)}`);
  const result = await response.json().catch(() => ({ error: `the board answered ${response.status}` }));
  if (!response.ok) throw new Error(result.error);
  return result;
};

// The state of a page is its address, so that a link shows the same: #/run/KEY?x=step&log=1
export const here = () => {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [view, ...rest] = path.split("/");
  return { view, key: rest.join("/"), state: new URLSearchParams(query ?? "") };
};
export const link = (view, key = "", state = {}) => {
  const query = new URLSearchParams(state).toString();
  return `#/${view}${key ? `/${key}` : ""}${query ? `?${query}` : ""}`;
};
export const remember = (name, value) => {
  const { view, key, state } = here();
  if (value === "" || value === null) state.delete(name);
  else state.set(name, value);
  history.replaceState(null, "", link(view, key, Object.fromEntries(state)));
};

// A choice that the address keeps.
export const choice = (label, name, options, change, fallback = options[0][0]) => {
  const select = el("select", { onchange: () => { remember(name, select.value === fallback ? "" : select.value); change(); } },
    ...options.map(([value, text]) => el("option", { value }, text)));
  select.value = here().state.get(name) ?? fallback;
  if (select.selectedIndex < 0) select.value = fallback;
  return { node: el("label", {}, label, select), get value() { return select.value; } };
};
