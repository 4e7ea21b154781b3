// Claims under every choice that was run: five lists, and the row of choices.csv that they name, if there is one.
(function () {
"use strict";
const KINDS = ["errors", "priors", "measure", "sample"], NUMBERS = ["probability", "mcse", "mean", "lo", "hi"];

function start(root) {
  const all = JSON.parse(root.querySelector("script").textContent), words = all.words, out = root.querySelector("output");
  const input = name => root.querySelector(`[name=${name}]`);
  const option = (value, text) => Object.assign(document.createElement("option"), { value, textContent: text });
  const say = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const between = /[\u4e00-\u9fff]/.test(words.note) ? "\uff1b" : "; "; // in the language of the page
  const whole = text => text.replace(/(^|[^\d])\.(?=\d)/, "$10.").replace("-", "\u2212");
  let claim, names, rows;

  function unpack(text) { // see board.packed_rows
    let next = "", before = [];
    return new Map(text.split(";").map(row => {
      const at = row.indexOf(","), name = at < 0 ? row : row.slice(0, at), key = name || next;
      if (at >= 0) before = row.slice(at + 1).split(",");
      next = key.replace(/\d+$/, place => Number(place) + 1);
      return [key === "own" ? "" : key, before];
    }));
  }

  function grid(axes, cells, digits) { // priors of the grid in words, from the place of each on its axes
    const values = places => axes.map((axis, k) => axis.values[parseInt(places.slice(k * digits, (k + 1) * digits), 36)]);
    return cells.map((places, cell) => ({
      name: `cell ${cell + 1} of the grid`, label: places ? values(places).join(between) : "",
    }));
  }

  function newClaim() {
    claim = all.claims[Number(input("claim").value)];
    const priors = all.priors[claim.priors], plain = list => list.map(one => typeof one === "string" ? { name: one, label: one } : { name: one[0], label: one[1] });
    names = { errors: plain(all.errors), measure: plain(all.measure), sample: plain(all.sample), priors: [...plain(priors.named), ...grid(priors.axes, priors.cells, priors.digits)] };
    rows = unpack(claim.rows);
    for (const kind of KINDS) {
      const alone = kind === "errors" ? claim.errors : 0, ran = index => index === alone || rows.has(kind[0] + index);
      input(kind).replaceChildren(...names[kind].map((one, index) => [one, index]).filter(([, index]) => ran(index)).map(([one, index]) => option(index, one.label)));
      input(kind).value = alone;
    }
    root.querySelector(".axes").textContent = priors.axes.length ? say(words.axes, { axes: priors.axes.map(axis => axis.title).join(between) }) : "";
    update();
  }

  function update() {
    const chosen = Object.fromEntries(KINDS.map(kind => [kind, Number(input(kind).value)]));
    const key = KINDS.filter(kind => chosen[kind] !== (kind === "errors" ? claim.errors : 0)).map(kind => kind[0] + chosen[kind]).join("");
    const row = rows.get(key);
    if (!row) {
      root.dataset.state = "not run";
      return void (out.textContent = say(words.not_run, { errors: names.errors[claim.errors].label }));
    }
    if (row.length === 1) {
      root.dataset.state = "not answered";
      return void (out.textContent = say(words.not_answered, { reason: all.reasons[Number(row[0])] }));
    }
    root.dataset.state = "answered";
    const file = ["choices.csv", [claim.id, ...KINDS.map(kind => names[kind][chosen[kind]].name)].join("/")].join(":");
    const numbers = Object.fromEntries(NUMBERS.map((name, k) => [name, whole(row[k])]));
    const parts = (numbers.mcse ? words.answer : words.answer_without_error).split(/\{(\w+)\}/);
    out.replaceChildren(...parts.map((part, place) => {
      if (place % 2 === 0) return part;
      const data = Object.assign(document.createElement("data"), { value: numbers[part].replace("\u2212", "-").replace(/^[<>] /, ""), textContent: numbers[part] });
      data.dataset.ref = `${file}:${part}`;
      return data;
    }));
  }

  input("claim").replaceChildren(...all.claims.map((one, index) => option(index, one.text)));
  input("claim").addEventListener("change", newClaim);
  for (const kind of KINDS) input(kind).addEventListener("change", update);
  root.querySelector("form").addEventListener("submit", event => event.preventDefault());
  root.querySelector("form").hidden = false;
  root.closest(".widget").querySelector(".rows").open = false;
  newClaim();
}

addEventListener("DOMContentLoaded", () => document.querySelectorAll(".board").forEach(start));
})();
