// The switch between two languages of one page: keeps the place of the reader, opens the language of a link.
(function () {
"use strict";
const codes = ["en", "zh"];
const box = code => document.getElementById("language-" + code), part = code => document.querySelector("div.in-" + code);

function above(code) { // the last section that begins above the window
  return [...part(code).querySelectorAll("section[id]")].filter(own => own.getBoundingClientRect().top < 80).pop();
}

function show(code, keep) {
  const at = keep && above(codes.find(one => one !== code)), top = at ? at.getBoundingClientRect().top : 0;
  box(code).checked = true;
  document.documentElement.lang = part(code).lang;
  document.title = part(code).dataset.title;
  const same = at && document.getElementById((code === "zh" ? "zh-" : "") + at.id.replace(/^zh-/, ""));
  if (same) scrollBy(0, same.getBoundingClientRect().top - top);
}

function linked() {
  const id = location.hash.slice(1);
  if (!id) return;
  show(/^zh(-|$)/.test(id) ? "zh" : "en", false);
  const own = document.getElementById(id);
  if (own) own.scrollIntoView();
}

for (const code of codes) {
  box(code).addEventListener("change", () => show(code, false));
  document.querySelector(`label[for=language-${code}]`).addEventListener("click", event => {
    event.preventDefault();
    show(code, true);
    box(code).focus({ preventScroll: true });
  });
}
addEventListener("hashchange", linked);
linked();
})();
