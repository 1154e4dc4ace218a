// What can be changed by hand, and what that means for the config.
import { el } from "./dom.js";

const NUMBERS = { learning_rate: "learning rate", depth: "hidden layers", width: "units a layer", dropout: "dropout", noise: "noise in the data", epochs: "epochs" };
const CHOICES = { optimizer: "optimizers", activation: "activations" };

export class Settings {
  constructor(parent, changes, saving, act) {
    [this.parent, this.changes, this.act] = [parent, changes, act];
    this.name = el("input", { "aria-label": "name of the file", size: 16 });
    this.said = el("span", { class: "faint", role: "status" });
    saving.append(el("label", {}, "save as", this.name, ".yaml"), el("button", { type: "button", onclick: () => this.save() }, "save"), this.said);
  }

  async save() {
    const saved = await this.act("save", { name: this.name.value });
    this.said.textContent = saved ? `saved: bp train ${saved.path}` : "";
  }

  model(model) {
    const now = model.settings;
    const change = (what, value) => this.act("change", { what, value });
    const numbers = Object.entries(NUMBERS).filter(([what]) => now[what] !== null && now[what] !== undefined).map(([what, label]) => {
      const input = el("input", { type: "number", step: "any", min: 0, value: now[what], "aria-label": label, onchange: () => change(what, Number(input.value)) });
      return el("label", {}, label, input);
    });
    const choices = Object.entries(CHOICES).filter(([what]) => now[what]).map(([what, options]) => {
      const select = el("select", { onchange: () => change(what, select.value) }, ...now[options].map((name) => el("option", { value: name }, name)));
      select.value = now[what];
      return el("label", {}, what, select);
    });
    const batch = el("input", { value: now.batch_size, size: 6, "aria-label": "batch size", onchange: () => change("batch_size", batch.value === "full" ? "full" : Number(batch.value)) });
    this.parent.replaceChildren(...choices, ...numbers, el("label", {}, "batch size", batch));
    this.changes.textContent = model.changes || "as the config says";
    if (!this.name.value) this.name.value = `${model.name.replace(/[^A-Za-z0-9_-]/g, "_").slice(0, 40)}_changed`;
    this.said.textContent = "";
  }
}
