// Puts it all together.

// The words of a search: `fd 7` is one.
function wordsOf(text) {
  return text.toLowerCase().match(/fd \d+|\S+/g) || [];
}

function about(data, process) {
  const length = process.to - process.from;
  const began = new Date(data.began_ms);
  const status = process.ended
    ? "ended" + (process.status === null ? "" : statusText(process.status))
    : "running when the record was taken";
  let waiting = 0, serving = 0;
  for (const turns of process.loops) { waiting += turns.waiting; serving += turns.serving; }
  const tile = (value, name) => el("div", "tile", el("b", "", value), el("span", "", name));
  const parts = [
    el("h1", "", (process.comm || "process") + " " + process.pid),
    process.command ? el("div", "command", process.command) : null,
    el("div", "quiet", [began.toISOString().replace("T", " ").replace(/\..*/, " UTC"), duration(length) + " recorded",
      status, process.forked ? "forked from " + process.ppid + " with its sets" : "",
      process.observed ? "observed: the kernel's epoll" : "",
      process.exact ? "exact times of becoming ready" : ""].filter(Boolean).join(" · ")),
  ];
  const rate = length > 0 ? process.deliveries / (length / 1e9) : 0;
  const { latency } = process, least = bound(latency);
  parts.push(el("div", "tiles",
    tile(commas(process.deliveries), "events delivered, " + commas(rate) + "/s"),
    tile(commas(process.waits), "waits"),
    tile(latency.count ? least + duration(latency.p50) : "–", "ready to delivered, p50"),
    tile(latency.count ? least + duration(latency.p99) : "–", "ready to delivered, p99"),
    tile(waiting + serving ? percent(serving / (waiting + serving)) : "–", "utilisation of " + plural(process.loops.length, "loop")),
    tile(bytes(process.read), "read"), tile(bytes(process.written), "written")));
  if (process.lost) parts.push(el("p", "warn", "Up to " + commas(process.lost) + " records were overwritten before they were read: the beginning or parts are missing. A larger --ring keeps more."));
  if (process.torn) parts.push(el("p", "warn", plural(process.torn, "record") + " torn, and left out."));
  if (data.trouble) parts.push(el("p", "warn", "The record is not whole: " + data.trouble));
  byId("about").replaceChildren(...parts.filter(Boolean));
  document.title = (process.comm || "process") + " " + process.pid + " · glasspoll";
}

// A status as wait(2) has it.
function statusText(status) {
  const signal = status & 127;
  return signal ? " by signal " + signal : " with status " + (status >> 8 & 255);
}

// The place of each item among those that took most of the loops' time; -1 for those that took none.
function rank(items) {
  const order = items.map((_, at) => at).filter((at) => items[at].serving || items[at].delivered);
  order.sort((a, b) => items[b].serving - items[a].serving || items[b].delivered - items[a].delivered);
  const ranks = new Int32Array(items.length).fill(-1);
  order.forEach((at, n) => { ranks[at] = n; });
  return ranks;
}

function legend(process, ranks) {
  const named = [];
  ranks.forEach((n, at) => { if (n >= 0 && n < PALETTE.length) named[n] = itemName(process.items[at]); });
  const entry = (back, name) => {
    const box = el("i", "");
    box.style.background = back;
    const made = el("span", "", box, name);
    made.title = name;
    return made;
  };
  const entries = named.map((name, n) => entry(PALETTE[n], name));
  byId("legend").replaceChildren(entry("var(--wait)", "waiting"), ...entries, entry("var(--other)", "serving others, or not known"));
}

function main() {
  const data = JSON.parse(byId("data").textContent);
  const timeline = new Timeline(byId("canvas"), byId("overview"), byId("tip"));
  const items = new Items(document.querySelector("#items table"), byId("more"), byId("shown"));
  const box = byId("search"), choice = byId("process");
  const apply = () => {
    const words = wordsOf(box.value);
    filterFindings(words);
    timeline.filter(items.filter(words));
  };
  const search = (text) => { box.value = text; apply(); byId("items").scrollIntoView({ behavior: "smooth" }); };
  const show = (process) => {
    const ranks = rank(process.items);
    const findings = data.findings.filter((finding) => finding.pid === process.pid);
    about(data, process);
    showFindings(findings, process, timeline, search);
    legend(process, ranks);
    timeline.show(process, findings, ranks);
    showLoops(process, timeline);
    items.show(process, ranks);
    apply();
  };
  data.processes.forEach((process, n) => {
    const found = data.findings.filter((finding) => finding.pid === process.pid).length;
    const option = el("option", "", (process.comm || "process") + " " + process.pid + (found ? " (" + plural(found, "finding") + ")" : ""));
    option.value = n;
    choice.append(option);
  });
  choice.hidden = data.processes.length < 2;
  choice.addEventListener("change", () => show(data.processes[choice.value]));
  let timer = 0;
  box.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(apply, 120); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== box) { event.preventDefault(); box.focus(); }
    if (event.key === "Escape") { box.value = ""; apply(); }
  });
  const notes = Object.entries(data.notes).map(([key, value]) => key + " " + value);
  byId("foot").textContent = ["made by glasspoll " + data.version, ...notes].join(" · ");
  if (data.processes.length) {
    // The process with most findings comes first, then the one with most deliveries.
    const weight = (process) => data.findings.filter((finding) => finding.pid === process.pid).length * 1e12 + process.deliveries;
    let first = 0;
    data.processes.forEach((process, n) => { if (weight(process) > weight(data.processes[first])) first = n; });
    choice.value = first;
    show(data.processes[first]);
  } else {
    byId("about").replaceChildren(el("h1", "", "There is no process in this record"));
  }
}

main();
