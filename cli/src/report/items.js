// The table of items: what was watched, how much came of it, how long it lived.

const STEP = 100;
const COLUMNS = [
  { name: "fd", key: (item) => item.fd, cell: (item) => item.fd },
  { name: "What", key: (item) => item.what, cell: (item) => item.what || "–", left: true, kind: "what" },
  { name: "Interest", key: (item) => item.interest, cell: (item) => item.interest || "–", left: true },
  { name: "Events", key: (item) => item.delivered, cell: (item) => commas(item.delivered) },
  { name: "p50", key: (item) => item.latency.p50, cell: (item) => time(item, "p50"), tip: "Ready to delivered, median" },
  { name: "p99", key: (item) => item.latency.p99, cell: (item) => time(item, "p99") },
  { name: "Max", key: (item) => item.latency.max, cell: (item) => time(item, "max") },
  { name: "Served", key: (item) => item.serving, cell: (item) => item.serving ? duration(item.serving) : "–", tip: "How long the loops served it in all" },
  { name: "Longest", key: (item) => item.longest, cell: (item) => item.longest ? duration(item.longest) : "–", tip: "The longest between two waits" },
  { name: "Read", key: (item) => item.read, cell: (item) => bytes(item.read) },
  { name: "Written", key: (item) => item.written, cell: (item) => bytes(item.written) },
  { name: "Life", key: (item) => lifeOf(item)[1] - lifeOf(item)[0], cell: null, left: true },
];

let shownProcess = null;

function time(item, which) {
  return item.latency.count ? (bound(item.latency) ? "≤" : "") + duration(item.latency[which]) : "–";
}

function lifeOf(item) {
  return [item.added ?? shownProcess.from, item.ended ?? shownProcess.to];
}

class Items {
  constructor(table, more, note) {
    Object.assign(this, { table, more, note, column: 7, down: true, limit: STEP, matching: null });
    const head = el("tr", "");
    COLUMNS.forEach((column, n) => {
      const th = el("th", column.left ? "left" : "", column.name);
      if (column.tip) th.title = column.tip;
      th.addEventListener("click", () => {
        this.down = this.column === n ? !this.down : !column.left;
        this.column = n;
        this.sort();
      });
      head.append(th);
    });
    table.tHead.replaceChildren(head);
    more.addEventListener("click", () => { this.limit += 5 * STEP; this.draw(); });
  }

  show(process, ranks) {
    shownProcess = process;
    this.process = process;
    this.ranks = ranks;
    this.order = process.items.map((_, at) => at);
    this.texts = process.items.map((item) => ("fd " + item.fd + " " + item.what + " " + item.interest + " epoll " + item.epoll + " " + item.how).toLowerCase());
    this.matching = null;
    this.sort();
  }

  sort() {
    const { key } = COLUMNS[this.column], sign = this.down ? -1 : 1;
    const values = this.process.items.map(key);
    this.order.sort((a, b) => {
      const [x, y] = [values[a], values[b]];
      return x < y ? -sign : x > y ? sign : a - b;
    });
    [...this.table.tHead.rows[0].cells].forEach((th, n) => {
      th.classList.toggle("down", n === this.column && this.down);
      th.classList.toggle("up", n === this.column && !this.down);
    });
    this.limit = STEP;
    this.draw();
  }

  // Keeps the rows that have all words. Returns which, or null for all.
  filter(words) {
    this.matching = words.length ? Uint8Array.from(this.texts, (text) => words.every((word) => has(text, word)) ? 1 : 0) : null;
    this.limit = STEP;
    this.draw();
    return this.matching;
  }

  draw() {
    const rows = this.matching ? this.order.filter((at) => this.matching[at]) : this.order;
    const { all_items: all } = this.process;
    this.table.tBodies[0].replaceChildren(...rows.slice(0, this.limit).map((at) => this.row(at)));
    this.more.hidden = rows.length <= this.limit;
    const told = this.process.items.length;
    this.note.textContent = (rows.length < told ? commas(rows.length) + " of " : "") + plural(told, "item") +
      (all > told ? ", those that cost most of " + commas(all) : "");
  }

  row(at) {
    const item = this.process.items[at];
    const row = el("tr", "");
    for (const column of COLUMNS) {
      const cell = el("td", (column.left ? "left " : "") + (column.kind || ""));
      if (column.cell) cell.append(String(column.cell(item))); else cell.append(this.life(item));
      if (column.kind) {
        cell.title = item.what;
        const rank = this.ranks[at];
        const dot = el("i", "dot");
        dot.style.background = rank >= 0 && rank < PALETTE.length ? PALETTE[rank] : "transparent";
        cell.prepend(dot);
      }
      row.append(cell);
    }
    row.addEventListener("click", () => this.open(row, item));
    return row;
  }

  // A line from ADD to the end, in the length of the record.
  life(item) {
    const { from, to } = this.process, length = Math.max(1, to - from), [a, b] = lifeOf(item);
    const line = el("span", "life"), part = el("i", "");
    part.style.left = (a - from) / length * 100 + "%";
    part.style.width = Math.max(0, b - a) / length * 100 + "%";
    line.append(part);
    const since = item.added === null ? "since before the record" : "added at " + moment(a - from, 1e6);
    line.title = since + (item.ended === null ? ", still there" : ", " + item.how + " at " + moment(b - from, 1e6));
    return line;
  }

  open(row, item) {
    const next = row.nextElementSibling;
    row.classList.toggle("open");
    if (next && next.classList.contains("detail")) return next.remove();
    const { from } = this.process;
    const cell = el("td", "");
    cell.colSpan = COLUMNS.length;
    cell.append(el("div", "figures",
      figure("epoll", item.epoll), figure("serial number", item.serial),
      figure("added", item.added === null ? "before the record" : moment(item.added - from, 1e4)),
      figure(item.how || "ended", item.ended === null ? "no" : moment(item.ended - from, 1e4)),
      figure("first event", item.delivered ? moment(item.first - from, 1e4) : "–"),
      figure("last event", item.delivered ? moment(item.last - from, 1e4) : "–"),
      figure("reads", commas(item.reads)), figure("writes", commas(item.writes)), figure("EAGAIN", commas(item.again)),
      figure("OUT", commas(item.outs)), figure("HUP", commas(item.hups)), figure("ERR", commas(item.errs)),
      figure("ready since", item.queued === null ? "–" : moment(item.queued - from, 1e4))));
    if (item.latency.buckets) {
      const box = el("div", "", plotCard("Ready to delivered", item.latency, duration));
      box.style.maxWidth = "28rem";
      cell.append(box);
    }
    row.after(el("tr", "detail", cell));
  }
}

// `fd 7` is that number alone; any other word may be anywhere.
function has(text, word) {
  return /^fd \d+$/.test(word) ? (text + " ").startsWith(word + " ") : text.includes(word);
}
