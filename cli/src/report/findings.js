// What the doctor found.

function findingText(finding) {
  return [finding.severity, finding.name, finding.title, finding.advice, ...finding.evidence,
    ...finding.fds.map((fd) => "fd " + fd), ...finding.tids.map((tid) => "thread " + tid)].join(" ").toLowerCase();
}

function showFindings(findings, process, timeline, search) {
  const cards = findings.map((finding) => {
    const chips = el("div", "chips");
    const when = el("button", "chip", moment(finding.first - process.from, 1e6) +
      (finding.last > finding.first ? " to " + moment(finding.last - process.from, 1e6) : ""));
    when.title = "Show in the timeline";
    when.addEventListener("click", () => {
      const margin = Math.max((finding.last - finding.first) * 0.05, 1e6);
      reveal(timeline, finding.first - margin, finding.last + margin);
    });
    chips.append(when);
    if (finding.count > 1) chips.append(el("span", "quiet", commas(finding.count) + " times"));
    for (const fd of finding.fds.slice(0, 12)) {
      const chip = el("button", "chip", "fd " + fd);
      chip.addEventListener("click", () => search("fd " + fd));
      chips.append(chip);
    }
    if (finding.fds.length > 12) chips.append(el("span", "quiet", "and " + (finding.fds.length - 12) + " more"));
    for (const tid of finding.tids.slice(0, 8)) chips.append(el("span", "quiet", "thread " + tid));
    const card = el("article", "finding " + finding.severity,
      el("h3", "", el("span", "tag", finding.severity), finding.title),
      finding.evidence.length ? el("ul", "", ...finding.evidence.map((line) => el("li", "", line))) : null,
      el("p", "", finding.advice),
      finding.unknown ? el("p", "quiet", "Not known: " + finding.unknown) : null,
      chips);
    card.title = "Class " + finding.class + ": " + finding.name;
    card.dataset.text = findingText(finding);
    return card;
  });
  const none = el("div", "card none", "Nothing was found.");
  byId("found").replaceChildren(...(cards.length ? cards : [none]));
}

function filterFindings(words) {
  for (const card of byId("found").children) {
    if (card.dataset.text) card.hidden = !words.every((word) => card.dataset.text.includes(word));
  }
}
