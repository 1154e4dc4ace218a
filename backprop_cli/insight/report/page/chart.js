"use strict";
// A chart one can hover, for a report's pages and for the board's.
// chart(figure, data) draws data = {x: label, label, log, whole, series: [{name, color, dash, faint, x: [...], y: [...],
// low: [...], high: [...]}]} into a figure with a figcaption; null in y is a gap, low and high a band about y.
// What it returns draws other data in the same place: set(data). What a reader has hidden stays hidden. The figure gets
// an event `scale`, with the detail "log" or "linear", when the reader changes that.
const chart = (() => {
  const NS = new DOMParser().parseFromString("<svg></svg>", "text/html").body.firstChild.namespaceURI;
  const HEIGHT = 260, LEFT = 58, RIGHT = 12, TOP = 10, BOTTOM = 40;

  const make = (name, attributes, parent) => {
    const node = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    parent.append(node);
    return node;
  };
  const html = (name, text, parent) => {
    const node = document.createElement(name);
    node.textContent = text;
    parent.append(node);
    return node;
  };
  const show = (v) => {
    if (v === 0) return "0";
    const size = Math.abs(v);
    return size >= 1e5 || size < 1e-3 ? v.toExponential(2).replace(/\.?0+e/, "e") : String(+v.toPrecision(4));
  };
  const ticks = (low, high, count) => {
    const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
    const found = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) found.push(k * step);
    return found;
  };
  const powers = (low, high) => {
    const first = Math.ceil(low - 1e-9), last = Math.floor(high + 1e-9);
    if (last - first < 1) return ticks(10 ** low, 10 ** high, 4).filter((v) => v > 0);
    const step = Math.ceil((last - first + 1) / 6), found = [];
    for (let e = first; e <= last; e += step) found.push(10 ** e);
    return found;
  };

  return (figure, first) => {
    let data = first, chosen = first.log, log = false;
    const hidden = new Set();
    const scale = html("button", "", figure.querySelector("figcaption"));
    scale.type = "button";
    scale.addEventListener("click", () => {
      chosen = !log;
      draw();
      figure.dispatchEvent(new CustomEvent("scale", { detail: log ? "log" : "linear" }));
    });
    const holder = html("div", "", figure);
    const legend = html("div", "", figure);
    legend.className = "legend";
    const name = (s) => {
      const button = html("button", "", legend);
      const mark = html("i", "", button);
      if (s.dash) mark.className = "dash";
      mark.style.borderTopColor = s.color;
      button.append(s.name);
      button.type = "button";
      button.setAttribute("aria-pressed", String(!hidden.has(s.name)));
      button.addEventListener("click", () => {
        if (!hidden.delete(s.name)) hidden.add(s.name);
        button.setAttribute("aria-pressed", String(!hidden.has(s.name)));
        draw();
      });
    };
    const names = () => {
      legend.replaceChildren();
      data.series.filter((s) => !s.faint).forEach(name);
    };
    const tip = html("div", "", figure);
    tip.className = "tip";
    tip.hidden = true;

    const draw = () => {
      holder.replaceChildren();
      tip.hidden = true;
      const width = Math.max(holder.clientWidth, 200);
      const svg = make("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, role: "img", "aria-label": data.label }, holder);
      const shown = data.series.filter((s) => !hidden.has(s.name));
      const values = (s) => (s.low ? [...s.y, ...s.low, ...s.high] : s.y);
      const positive = data.series.every((s) => values(s).every((v) => v === null || v > 0));
      log = chosen && positive;
      scale.textContent = log ? "linear scale" : "log scale";
      scale.hidden = !positive;
      const xs = shown.flatMap((s) => s.x);
      const ys = shown.flatMap(values).filter((v) => v !== null).map((v) => (log ? Math.log10(v) : v));
      if (!ys.length) return;
      let [x0, x1] = [xs.reduce((a, b) => Math.min(a, b)), xs.reduce((a, b) => Math.max(a, b))];
      let [y0, y1] = [ys.reduce((a, b) => Math.min(a, b)), ys.reduce((a, b) => Math.max(a, b))];
      if (x0 === x1) [x0, x1] = [x0 - 1, x1 + 1];
      const margin = (y1 - y0 || Math.abs(y1) || 1) * 0.05;
      [y0, y1] = [y0 - margin, y1 + margin];
      const px = (v) => LEFT + ((v - x0) / (x1 - x0)) * (width - LEFT - RIGHT);
      const py = (v) => TOP + ((y1 - (log ? Math.log10(v) : v)) / (y1 - y0)) * (HEIGHT - TOP - BOTTOM);
      for (const v of log ? powers(y0, y1) : ticks(y0, y1, 5)) {
        make("line", { x1: LEFT, x2: width - RIGHT, y1: py(v), y2: py(v), class: "guide" }, svg);
        make("text", { x: LEFT - 6, y: py(v) + 4, "text-anchor": "end" }, svg).textContent = show(v);
      }
      for (const v of ticks(x0, x1, Math.max(2, Math.floor(width / 90)))) {
        if (data.whole && v !== Math.round(v)) continue;
        make("text", { x: px(v), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, svg).textContent = show(v);
      }
      make("line", { x1: LEFT, x2: width - RIGHT, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM, class: "axis" }, svg);
      make("text", { x: (LEFT + width - RIGHT) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, svg).textContent = data.x;
      for (const s of shown) {
        if (s.low) {
          const point = (v, i) => `${px(s.x[i]).toFixed(1)} ${py(v).toFixed(1)}`;
          const upper = s.high.map(point), lower = s.low.map(point).reverse();
          make("path", { d: `M${[...upper, ...lower].join("L")}Z`, class: "band" }, svg).style.fill = s.color;
        }
        let path = "", pen = "M";
        s.x.forEach((x, i) => {
          if (s.y[i] === null) { pen = "M"; return; }
          path += `${pen}${px(x).toFixed(1)} ${py(s.y[i]).toFixed(1)}`;
          pen = "L";
        });
        const line = make("path", { d: path, "stroke-dasharray": s.dash ? "6 4" : "none", class: s.faint ? "faint" : "line" }, svg);
        line.style.stroke = s.color;
        if (s.x.length < 3) s.x.forEach((x, i) => {
          if (s.y[i] !== null) make("circle", { cx: px(x), cy: py(s.y[i]), r: 4 }, svg).style.fill = s.color;
        });
      }
      hover(svg, shown.filter((s) => !s.faint), width, px, py, x0, x1);
    };

    const hover = (svg, shown, width, px, py, x0, x1) => {
      const layer = make("g", {}, svg);
      const all = [...new Set(shown.flatMap((s) => s.x))].sort((a, b) => a - b);
      const point = (event) => {
        const box = svg.getBoundingClientRect();
        const at = x0 + (((event.clientX - box.left) / box.width) * width - LEFT) / (width - LEFT - RIGHT) * (x1 - x0);
        const x = all.reduce((a, b) => (Math.abs(b - at) < Math.abs(a - at) ? b : a));
        layer.replaceChildren();
        tip.replaceChildren();
        make("line", { x1: px(x), x2: px(x), y1: TOP, y2: HEIGHT - BOTTOM, class: "cross" }, layer);
        html("b", `${data.x.split(" ")[0]} ${show(x)}`, tip);
        for (const s of shown) {
          const i = s.x.indexOf(x);
          if (i < 0) continue;
          const row = html("div", "", tip);
          html("i", "", row).style.background = s.color;
          row.append(`${s.name}  ${s.y[i] === null ? "not finite" : show(s.y[i])}`);
          if (s.y[i] !== null) make("circle", { cx: px(x), cy: py(s.y[i]), r: 3.5 }, layer).style.fill = s.color;
        }
        tip.hidden = false;
        const left = svg.parentElement.offsetLeft + (px(x) / width) * box.width;
        const room = figure.clientWidth - left > tip.offsetWidth + 24;
        tip.style.left = `${room ? left + 12 : Math.max(4, left - tip.offsetWidth - 12)}px`;
        tip.style.top = `${svg.parentElement.offsetTop + 12}px`;
      };
      svg.addEventListener("pointermove", point);
      svg.addEventListener("pointerdown", point);
      svg.addEventListener("pointerleave", () => { layer.replaceChildren(); tip.hidden = true; });
    };

    let last = 0;
    new ResizeObserver(() => {
      if (holder.clientWidth === last) return;
      last = holder.clientWidth;
      requestAnimationFrame(draw);
    }).observe(figure);
    names();
    draw();
    return {
      set(next) {
        const before = data.series.map((s) => s.name + s.color + s.dash).join("\n");
        data = next;
        if (before !== data.series.map((s) => s.name + s.color + s.dash).join("\n")) names();
        draw();
      },
    };
  };
})();
