// Numbers as people read them, and elements: all text becomes text nodes, so that nothing in a record is markup.

const commas = (n) => Math.round(n).toString().replace(/\B(?=(\d{3})+$)/g, ",");

function three(value) {
  return value < 9.995 ? value.toFixed(2) : value < 99.95 ? value.toFixed(1) : value.toFixed(0);
}

function duration(ns) {
  if (ns < 1e3) return Math.round(ns) + " ns";
  if (ns < 999.5e3) return three(ns / 1e3) + " µs";
  if (ns < 999.5e6) return three(ns / 1e6) + " ms";
  return three(ns / 1e9) + " s";
}

function bytes(n) {
  if (n < 1024) return n + " B";
  let unit = -1;
  while (n >= 1023.5 && unit < 4) { n /= 1024; unit++; }
  return three(n) + " " + "KMGTP"[unit] + "iB";
}

function percent(share) {
  const value = share * 100;
  return !value ? "0%" : value < 0.05 ? "<0.1%" : value < 9.95 ? value.toFixed(1) + "%" : value.toFixed(0) + "%";
}

// A moment, to as many digits as tell two apart that are `step` away.
function moment(ns, step) {
  const digits = Math.max(0, Math.min(9, Math.ceil(-Math.log10(Math.max(step, 1) / 1e9))));
  return (ns / 1e9).toFixed(digits) + " s";
}

const plural = (n, one) => commas(n) + " " + one + (n === 1 ? "" : "s");

// An element: its class, and what is in it.
function el(name, kind, ...content) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  made.append(...content.filter((part) => part !== null && part !== undefined));
  return made;
}

const byId = (id) => document.getElementById(id);

function svg(name, attributes, text) {
  const made = document.createElementNS("ht" + "tp://www.w3.org/2000/svg", name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  if (text) made.textContent = text;
  return made;
}

// The value that a name has in the style, in the colours of now.
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Seven colours that colour-blind people can tell apart (Okabe and Ito), for what takes most of the time.
const PALETTE = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#c7b81f"];

const itemName = (item) => item ? "fd " + item.fd + (item.what ? "  " + item.what : "") : "another descriptor";
