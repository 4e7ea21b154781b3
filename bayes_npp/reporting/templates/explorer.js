// Claims about slopes under priors that the reader states. Given a stored draw of the other scales and shapes, the
// likelihood of the average slope b and of the groups' offsets u is normal with precision P and linear term r, so that
// b ~ N(mu, s^2) and u ~ N(0, tau^2) integrate out exactly, tau on a grid; the draw is weighted by what is left.
(function () {
"use strict";
const POINTS = 51, STEP = Math.log(1e7) / (POINTS - 1), TAU = [];
for (let t = 0; t < POINTS; t++) TAU.push(1e-5 * Math.exp(t * STEP));
const MAX_K = 0.7, FEWEST = 100, TAIL = 0.025;

function normal(z) { // P(Z < z), to 1e-7 of the tail (Press et al., Numerical Recipes, erfcc)
  const x = Math.abs(z) / Math.SQRT2, t = 1 / (1 + x / 2);
  const c = [-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277];
  let sum = 0;
  for (let i = 9; i >= 0; i--) sum = sum * t + c[i];
  const tail = t * Math.exp(-x * x + sum) / 2;
  return z > 0 ? 1 - tail : tail;
}

function logSum(values) {
  const top = Math.max(...values);
  return top === -Infinity ? top : top + Math.log(values.reduce((sum, v) => sum + Math.exp(v - top), 0));
}

function unpack(fit) { // columns of 16-bit steps between their smallest and largest value
  const bytes = Uint8Array.from(atob(fit.data), c => c.charCodeAt(0)), view = new DataView(bytes.buffer);
  const size = fit.size, draws = [];
  for (let i = 0; i < fit.draws; i++) {
    const row = fit.low.map((low, c) => low + fit.step[c] * view.getUint16(2 * (c * fit.draws + i), true));
    const P = Array.from({ length: size }, () => new Array(size)), r = [];
    let at = 0;
    for (let j = 0; j < size; j++) for (let k = j; k < size; k++) P[j][k] = P[k][j] = row[at++];
    for (let j = 0; j < size; j++) r.push(row[at++]);
    draws.push({ P, r, own: row[at] });
  }
  return draws;
}

function eigen(A) { // values and vectors (columns) of a small symmetric matrix, by Jacobi's rotations
  const n = A.length, V = A.map((_, i) => A.map((_, j) => +(i === j)));
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0, on = 0;
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) if (i === j) on += A[i][i] ** 2; else off += A[i][j] ** 2;
    if (off <= 1e-26 * on) break;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) {
      if (A[p][q] === 0) continue;
      const h = (A[q][q] - A[p][p]) / (2 * A[p][q]), t = (h < 0 ? -1 : 1) / (Math.abs(h) + Math.sqrt(h * h + 1));
      const c = 1 / Math.sqrt(t * t + 1), s = t * c;
      for (let k = 0; k < n; k++) { const x = A[k][p], y = A[k][q]; A[k][p] = c * x - s * y; A[k][q] = s * x + c * y; }
      for (let k = 0; k < n; k++) { const x = A[p][k], y = A[q][k]; A[p][k] = c * x - s * y; A[q][k] = s * x + c * y; }
      for (let k = 0; k < n; k++) { const x = V[k][p], y = V[k][q]; V[k][p] = c * x - s * y; V[k][q] = s * x + c * y; }
    }
  }
  return { values: A.map((row, i) => Math.max(row[i], 0)), vectors: V };
}

const DENSITY = { // of tau, up to a constant
  half_normal: (t, p) => -0.5 * (t / p.spread) ** 2,
  half_student_t: (t, p) => -0.5 * (p.nu + 1) * Math.log1p((t / p.spread) ** 2 / p.nu),
  half_cauchy: (t, p) => -Math.log1p((t / p.spread) ** 2),
  exponential: (t, p) => -t / p.spread,
};

function tauWeights(prior) { // log share of each value of TAU, by the trapezoid rule in its log
  const out = TAU.map(t => DENSITY[prior.family](t, prior) + Math.log(t * STEP));
  out[0] = logSum([out[0] + Math.log(0.5), DENSITY[prior.family](TAU[0], prior) + Math.log(TAU[0])]);
  const all = logSum(out);
  return out.map(v => v - all);
}

function pareto(logRatio) { // smoothed weights and their k (Vehtari et al. 2024; Zhang & Stephens 2009)
  const n = logRatio.length, top = Math.max(...logRatio), x = logRatio.map(v => v - top);
  if (top - Math.min(...logRatio) < 1e-9) return { weights: x.map(() => 1 / n), k: NaN };
  const order = x.map((_, i) => i).sort((a, b) => x[a] - x[b]);
  const m = n > 225 ? Math.floor(3 * Math.sqrt(n)) : Math.floor(n / 5), cut = Math.exp(x[order[n - m - 1]]);
  const tail = order.slice(n - m), y = tail.map(i => Math.exp(x[i]) - cut), largest = x[order[n - 1]];
  const quartile = y[Math.floor(m / 4 + 0.5) - 1];
  let k = Infinity;
  if (quartile > y[0]) {
    const count = 30 + Math.floor(Math.sqrt(m)), b = [], shape = [], score = [];
    for (let j = 1; j <= count; j++) b.push((1 - Math.sqrt(count / (j - 0.5))) / (3 * quartile) + 1 / y[m - 1]);
    const mean = c => y.reduce((sum, v) => sum + Math.log1p(-c * v), 0) / m;
    b.forEach((c, j) => { shape[j] = mean(c); score[j] = m * (Math.log(-c / shape[j]) - shape[j] - 1); });
    const all = logSum(score);
    let weights = score.map(v => Math.exp(v - all));
    weights = weights.map(w => w >= 10 * Number.EPSILON ? w : 0);
    const total = weights.reduce((a, w) => a + w, 0), best = b.reduce((sum, c, j) => sum + c * weights[j], 0) / total;
    const raw = mean(best), sigma = -raw / best;
    k = (m * raw + 5) / (m + 10);
    if (Number.isFinite(k)) tail.forEach((i, j) => {
      const p = (j + 0.5) / m, q = Math.abs(k) < 1e-12 ? -Math.log1p(-p) : Math.expm1(-k * Math.log1p(-p)) / k;
      x[i] = Math.min(Math.log(cut + sigma * q), largest);
    });
    else k = Infinity;
  }
  const all = logSum(x);
  return { weights: x.map(v => Math.exp(v - all)), k };
}

// What a claim compares with its number under a prior: weighted normals, one for each draw and value of tau.
function answer(draws, claim, prior, efficiency) {
  const a = claim.weights, size = a.length, { centre, scale } = prior;
  const taus = size > 1 ? TAU : [1], shares = size > 1 ? tauWeights(prior) : [0], ratio = [], inner = [];
  for (const { P, r, own } of draws) {
    const d = P[0][0] + scale ** -2, l0 = r[0] - centre * P[0][0], c = P[0].slice(1);
    const A = c.map((x, i) => c.map((y, j) => P[i + 1][j + 1] - x * y / d));
    const left = c.map((x, i) => r[i + 1] - centre * x - x * l0 / d), { values, vectors } = eigen(A);
    const turned = v => values.map((_, k) => v.reduce((sum, x, i) => sum + x * vectors[i][k], 0));
    const z = turned(left), q = turned(c.map((x, i) => a[i + 1] - a[0] * x / d));
    const base = centre * r[0] - 0.5 * centre ** 2 * P[0][0] + 0.5 * l0 ** 2 / d - 0.5 * Math.log1p(scale ** 2 * P[0][0]);
    const logs = [], means = [], sds = [];
    taus.forEach((tau, t) => {
      let log = base + shares[t], mean = a[0] * (centre + l0 / d), variance = a[0] ** 2 / d;
      values.forEach((value, k) => {
        const gain = 1 / (tau ** -2 + value);
        log += 0.5 * Math.log(gain / tau ** 2) + 0.5 * gain * z[k] ** 2;
        mean += q[k] * gain * z[k];
        variance += q[k] ** 2 * gain;
      });
      logs.push(log); means.push(mean); sds.push(Math.sqrt(variance));
    });
    const all = logSum(logs);
    ratio.push(all - own);
    inner.push({ shares: logs.map(v => Math.exp(v - all)), means, sds });
  }
  const { weights, k } = pareto(ratio);
  const effective = efficiency / weights.reduce((sum, w) => sum + w * w, 0);
  const given = inner.map(one => one.shares.reduce((sum, w, t) => sum + w * normal(claim.sign * (one.means[t] - claim.cutoff) / one.sds[t]), 0));
  const probability = given.reduce((sum, p, i) => sum + weights[i] * p, 0);
  const mcse = Math.sqrt(given.reduce((sum, p, i) => sum + (weights[i] * (p - probability)) ** 2, 0) / efficiency);
  const parts = [];
  inner.forEach((one, i) => one.shares.forEach((w, t) => {
    if (w * weights[i] > 1e-7) parts.push({ w: w * weights[i], mean: one.means[t], sd: one.sds[t] });
  }));
  const mean = parts.reduce((sum, own) => sum + own.w * own.mean, 0);
  return { k, effective, probability, mcse, mean, parts };
}

function below(parts, x) { return parts.reduce((sum, own) => sum + own.w * normal((x - own.mean) / own.sd), 0); }

function quantile(parts, p) {
  let low = Infinity, high = -Infinity;
  for (const own of parts) { low = Math.min(low, own.mean - 6 * own.sd); high = Math.max(high, own.mean + 6 * own.sd); }
  for (let i = 0; i < 30; i++) { const middle = (low + high) / 2; if (below(parts, middle) < p) low = middle; else high = middle; }
  return (low + high) / 2;
}

function priorParts(claim, prior) { // of what the claim compares, before the data
  const square = claim.weights.slice(1).reduce((sum, x) => sum + x * x, 0), mean = claim.weights[0] * prior.centre;
  if (claim.weights.length === 1) return [{ w: 1, mean, sd: Math.abs(claim.weights[0]) * prior.scale }];
  return tauWeights(prior).map((log, t) => ({
    w: Math.exp(log), mean, sd: Math.sqrt((claim.weights[0] * prior.scale) ** 2 + TAU[t] ** 2 * square),
  }));
}

function density(parts, x) {
  return parts.reduce((sum, own) => sum + own.w / own.sd * Math.exp(-0.5 * ((x - own.mean) / own.sd) ** 2), 0) / Math.sqrt(2 * Math.PI);
}

function digits(value, spread) {
  const places = Math.max(0, Math.min(6, 1 - Math.floor(Math.log10(spread)))), text = value.toFixed(places);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "\u2212");
}

function chance(p) { return p > 0.999 ? "> 0.999" : p < 0.001 ? "< 0.001" : p.toFixed(Math.min(p, 1 - p) < 0.0095 ? 3 : 2); }

function start(root) {
  const all = JSON.parse(root.querySelector("script").textContent), words = all.words, cache = new Map();
  const input = name => root.querySelector(`[name=${name}]`), out = root.querySelector("output"), plot = root.querySelector(".curve");
  const option = (value, text) => Object.assign(document.createElement("option"), { value, textContent: text });
  const say = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const claims = all.models.flatMap((model, m) => model.claims.map((claim, c) => ({ model, claim, value: `${m}.${c}` })));
  const chosen = () => claims.find(own => own.value === input("claim").value);
  const fitted = () => chosen().model.fits[Number(input("errors").value)];
  const number = name => { const text = input(name).value.trim(); return text === "" ? NaN : Number(text); };

  function fill(name, options) { input(name).replaceChildren(...options); }
  function shown(value) { return String(Number(value.toPrecision(4))); }

  function newClaim() {
    const { model } = chosen();
    fill("errors", model.fits.map((fit, f) => option(f, fit.label)));
    input("errors").value = model.fits.findIndex(fit => fit.behind);
    fill("preset", [...model.presets.map((one, p) => option(p, one.label)), option("", words.own)]);
    input("preset").value = 0;
    newPreset();
  }

  function newPreset() {
    const { model } = chosen(), preset = model.presets[input("preset").value];
    if (preset) {
      input("centre").value = shown(preset.centre * model.unit);
      input("scale").value = shown(preset.scale * model.unit);
      if (preset.family) {
        input("family").value = preset.family;
        input("spread").value = shown(preset.spread * model.unit);
        if (preset.nu) input("nu").value = preset.nu;
      }
    }
    enable();
    update();
  }

  function newPrior() { input("preset").value = ""; enable(); update(); }

  function enable() {
    const single = chosen().model.fits[0].size === 1;
    for (const name of ["family", "spread"]) input(name).disabled = single;
    input("family").closest("fieldset").hidden = single;
    input("nu").disabled = single || input("family").value !== "half_student_t";
  }

  function withhold(text) {
    root.dataset.state = "withheld";
    out.textContent = text;
    plot.replaceChildren();
    root.querySelector(".numbers").replaceChildren();
  }

  function update() {
    const { model, claim } = chosen(), fit = fitted(), preset = model.presets[input("preset").value];
    const prior = preset
      ? { ...preset }
      : { centre: number("centre") / model.unit, scale: number("scale") / model.unit, family: input("family").value, nu: number("nu"), spread: number("spread") / model.unit };
    const grouped = fit.size > 1;
    if (!Number.isFinite(prior.centre)) return withhold(words.bad_centre);
    if (!(prior.scale > 0 && Number.isFinite(prior.scale))) return withhold(words.bad_scale);
    if (grouped && !(prior.spread > 0 && Number.isFinite(prior.spread))) return withhold(words.bad_spread);
    if (grouped && prior.family === "half_student_t" && !(prior.nu > 0 && Number.isFinite(prior.nu))) return withhold(words.bad_nu);
    if (!fit.passed) return withhold(words.failed);
    if (!cache.has(fit)) cache.set(fit, unpack(fit));
    const own = answer(cache.get(fit), claim, prior, fit.efficiency);
    if (own.k > MAX_K) return withhold(say(words.bad_k, { k: own.k === Infinity ? "\u221e" : own.k.toFixed(2) }));
    if (!(own.effective >= FEWEST)) return withhold(say(words.few, { effective: Math.floor(own.effective), least: FEWEST }));
    root.dataset.state = "answered";
    const lo = quantile(own.parts, TAIL), hi = quantile(own.parts, 1 - TAIL), spread = (hi - lo) / 4;
    const values = {
      claim: claim.text, probability: chance(own.probability), mcse: own.mcse < 0.001 ? "< 0.001" : own.mcse.toFixed(3),
      mean: digits(own.mean, spread), lo: digits(lo, spread), hi: digits(hi, spread),
    };
    out.textContent = say(words.answer, values);
    const numbers = { probability: own.probability, mcse: own.mcse, mean: own.mean, lo, hi, k: own.k, effective: own.effective };
    root.querySelector(".numbers").replaceChildren(...Object.keys(numbers).filter(name => Number.isFinite(numbers[name])).map(name => {
      const item = document.createElement("li"), data = Object.assign(document.createElement("data"), { value: numbers[name] });
      data.dataset.ref = `explorer:${claim.id}:${name}`;
      data.textContent = values[name] || (name === "k" ? digits(own.k, 0.1) : String(Math.floor(own.effective)));
      item.append(`${words[name]} `, data);
      return item;
    }));
    draw(own.parts, priorParts(claim, prior), claim, lo, hi, out.textContent);
  }

  function draw(parts, before, claim, lo, hi, text) {
    const W = 640, H = 180, low = Math.min(lo - (hi - lo) / 2, claim.cutoff), high = Math.max(hi + (hi - lo) / 2, claim.cutoff);
    const pad = 0.04 * (high - low), from = low - pad, to = high + pad, n = 120;
    const at = Array.from({ length: n + 1 }, (_, i) => from + (to - from) * i / n), y = at.map(x => density(parts, x)), y0 = at.map(x => density(before, x));
    const most = Math.max(...y), px = x => (x - from) / (to - from) * W, py = v => H - 22 - Math.min(v / most, 1.05) * (H - 34);
    const line = values => at.map((x, i) => `${i ? "L" : "M"}${px(x).toFixed(1)} ${py(values[i]).toFixed(1)}`).join("");
    const node = (name, attributes, content) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const key in attributes) made.setAttribute(key, attributes[key]);
      if (content !== undefined) made.textContent = content;
      return made;
    };
    const svg = node("svg", { viewBox: `0 0 ${W} ${H}`, class: "small", role: "img", "aria-label": say(words.curve, { text }) });
    const side = at.map((x, i) => claim.sign * (x - claim.cutoff) > 0 ? y[i] : 0);
    svg.append(node("path", { d: `${line(side)}L${W} ${H - 22}L0 ${H - 22}Z`, class: "zone" }));
    svg.append(node("path", { d: line(y), class: "mark lane0", fill: "none" }));
    svg.append(node("path", { d: line(y0), class: "axis", fill: "none", "stroke-dasharray": "5 4" }));
    svg.append(node("line", { x1: 0, x2: W, y1: H - 22, y2: H - 22, class: "axis" }));
    svg.append(node("line", { x1: px(claim.cutoff), x2: px(claim.cutoff), y1: 4, y2: H - 22, class: "cut" }));
    const unit = 10 ** Math.floor(Math.log10((to - from) / 3)), step = [1, 2, 5, 10].map(m => m * unit).find(m => (to - from) / m <= 6);
    for (let v = Math.ceil(from / step) * step; v <= to; v += step) {
      svg.append(node("text", { x: Math.min(Math.max(px(v), 16), W - 16), y: H - 6, "text-anchor": "middle" }, String(Number(v.toPrecision(6))).replace("-", "\u2212")));
    }
    plot.replaceChildren(svg);
  }

  fill("claim", claims.map(own => option(own.value, own.claim.text)));
  fill("family", Object.keys(DENSITY).map(name => option(name, words[name])));
  input("claim").addEventListener("change", newClaim);
  input("errors").addEventListener("change", update);
  input("preset").addEventListener("change", newPreset);
  for (const name of ["centre", "scale", "family", "spread", "nu"]) input(name).addEventListener("input", newPrior);
  root.querySelector("form").addEventListener("submit", event => event.preventDefault());
  root.querySelector("form").hidden = false;
  root.closest(".widget").querySelector(".rows").open = false;
  newClaim();
}

addEventListener("DOMContentLoaded", () => document.querySelectorAll(".explorer").forEach(start));
window.bayesNppExplorer = { answer, unpack, pareto, quantile };
})();
