// A lesson beside what is trained: its claim, its configs, what it expects and what is so here.
import { el, number } from "./dom.js";

export class Lesson {
  constructor(parent, act) {
    [this.parent, this.act] = [parent, act];
  }

  model(model) {
    const told = (this.told = model.lesson);
    this.parent.hidden = !told;
    if (!told) return;
    const select = el("select", { onchange: () => this.act("lesson", { config: select.value }) }, ...told.configs.map((name) => el("option", { value: name }, name)));
    select.value = told.at;
    this.list = el("ul");
    this.parent.replaceChildren(el("h3", {}, told.title), el("p", {}, told.claim), el("p", { class: "faint" }, told.source),
      told.configs.length > 1 ? el("div", { class: "bar" }, el("label", {}, "its config", select)) : "", this.list);
  }

  frame(frame) {
    if (!this.told) return;
    this.list.replaceChildren(...this.told.figures.map((figure) => {
      const here = figure.of === this.told.at && figure.metric ? frame.row[figure.metric] : undefined;
      const inside = here !== undefined && here !== null && figure.expect[0] <= here && here <= figure.expect[1];
      return el("li", { class: figure.of === this.told.at ? "" : "faint" }, `${figure.of}: ${figure.say}, expected ${number(figure.expect[0])} to ${number(figure.expect[1])} at the end`,
        here === undefined ? "" : el("b", { class: inside ? "good" : "" }, `; here ${number(here)}${inside ? ", as expected" : ", not yet"}`));
    }));
  }
}
