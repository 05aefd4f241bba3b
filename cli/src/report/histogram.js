// Histograms of times, on a logarithmic axis, and the figures of each loop.

// The least value of a bucket: 16 for each power of two.
function bucketFloor(bucket) {
  const octave = bucket >> 4, place = bucket & 15;
  return octave ? (16 + place) * 2 ** (octave - 1) : place;
}

// A plot of `times`. A bar holds so many buckets that all bars have room.
function plot(times, say) {
  const width = 340, height = 118, foot = 18, head = 14;
  const made = svg("svg", { class: "plot", viewBox: "0 0 " + width + " " + height, role: "img" });
  if (!times.count || !times.buckets) return made;
  const buckets = times.buckets, span = buckets[buckets.length - 1][0] - buckets[0][0] + 1;
  const joined = span <= 40 ? 1 : span <= 80 ? 2 : span <= 160 ? 4 : 8;
  const bars = new Map();
  for (const [bucket, n] of buckets) {
    const bar = Math.floor(bucket / joined);
    bars.set(bar, (bars.get(bar) || 0) + n);
  }
  let first = Math.min(...bars.keys()), last = Math.max(...bars.keys());
  while (last - first < 15) last++;
  const most = Math.max(...bars.values());
  const each = width / (last - first + 1);
  const x = (bar) => (bar - first) * each;
  for (const [bar, n] of bars) {
    const tall = Math.max(1.5, n / most * (height - foot - head));
    const rect = svg("rect", { x: x(bar) + 0.5, y: height - foot - tall, width: Math.max(1, each - 1), height: tall });
    rect.append(svg("title", {}, say(bucketFloor(bar * joined)) + " to " + say(bucketFloor((bar + 1) * joined)) + ": " + commas(n) +
      " (" + percent(n / times.count) + ")"));
    made.append(rect);
  }
  made.append(svg("line", { x1: 0, x2: width, y1: height - foot + 0.5, y2: height - foot + 0.5 }));
  const every = Math.max(1, Math.ceil((last - first + 1) / 5));
  for (let bar = first; bar <= last - every / 2; bar += every) {
    made.append(svg("text", { x: x(bar), y: height - 4 }, say(bucketFloor(bar * joined))));
  }
  return made;
}

const bound = (times) => times.at_most * 2 > times.count ? "≤ " : "";

function quantiles(times, say) {
  if (!times.count) return "nothing";
  const least = bound(times);
  return "p50 " + least + say(times.p50) + "  ·  p99 " + least + say(times.p99) + "  ·  max " + least + say(times.max);
}

function plotCard(title, times, say) {
  return el("div", "", el("h3", "", title), el("div", "quiet", quantiles(times, say)), plot(times, say));
}

function figure(name, value) {
  return el("div", "", el("span", "", name), value);
}

// A card for each loop.
function showLoops(process, timeline) {
  const cards = process.loops.map((turns) => {
    const all = turns.waiting + turns.serving;
    const card = el("div", "card loop",
      el("h3", "", (turns.thread || "thread") + " " + turns.tid + " at epoll " + turns.epoll),
      el("div", "figures",
        figure("waits", commas(turns.waits)), figure("empty", commas(turns.empty)),
        figure("EINTR", commas(turns.interrupted)), figure("full", commas(turns.full)),
        figure("events", commas(turns.events)), figure("waiting", duration(turns.waiting)),
        figure("serving", duration(turns.serving)), figure("utilisation", all ? percent(turns.serving / all) : "unknown"),
        figure("last", turns.last[1])),
      el("div", "grid",
        plotCard("Ready to delivered", turns.latency, duration),
        plotCard("Serving, from return to the next wait", turns.served, duration),
        plotCard("Events for each wait", turns.per_wait, commas)));
    if (turns.longest.length) {
      const chips = turns.longest.slice(0, 5).map(({ from, ns, events, shares }) => {
        const most = shares.length && shares[0][0] >= 0 ? ", fd " + process.items[shares[0][0]].fd : "";
        const chip = el("button", "chip", duration(ns) + most);
        chip.title = plural(events, "event") + ", " + moment(from - process.from, ns / 10) + ": show in the timeline";
        chip.addEventListener("click", () => reveal(timeline, from - ns * 0.5, from + ns * 1.5));
        return chip;
      });
      card.append(el("div", "chips", el("span", "quiet", "Longest serving periods"), ...chips));
    }
    return card;
  });
  if (!cards.length) cards.push(el("div", "card quiet", "No thread waited."));
  byId("histograms").replaceChildren(...cards);
}

function reveal(timeline, a, b) {
  timeline.zoom(a, b);
  byId("timeline").scrollIntoView({ behavior: "smooth" });
}
