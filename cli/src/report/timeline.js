// The timelines of all loops of a process, one below the other, and an overview of the whole above them.

const AXIS = 26, LABEL = 20, GAP = 8;

class Timeline {
  constructor(canvas, overview, tip) {
    Object.assign(this, { canvas, overview, tip, rows: [], marks: [], a: 0, b: 1, matching: null, queued: false });
    this.listen();
    new ResizeObserver(() => this.redraw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
  }

  show(process, findings, ranks) {
    this.process = process;
    this.ranks = ranks;
    this.rows = process.loops.map((turns) => ({ turns, track: decode(turns, process.numbers) }));
    // Few loops have more room each.
    this.bars = this.rows.length <= 2 ? 72 : this.rows.length <= 5 ? 44 : 22;
    this.row = LABEL + this.bars + GAP;
    this.marks = findings;
    this.from = process.from;
    this.to = Math.max(process.to, process.from + 1000);
    this.zoom(this.from, this.to);
  }

  // Only these items are in colour; null: all.
  filter(matching) {
    this.matching = matching;
    this.redraw();
  }

  zoom(a, b) {
    const least = Math.min(200, this.to - this.from);
    const length = Math.max(least, Math.min(b - a, this.to - this.from));
    a = Math.max(this.from, Math.min(a + (b - a - length) / 2, this.to - length));
    [this.a, this.b] = [a, a + length];
    this.redraw();
  }

  // Zooms by a factor about a moment.
  zoomAt(ns, factor) {
    this.zoom(ns - (ns - this.a) * factor, ns + (this.b - ns) * factor);
  }

  move(ns) {
    const by = Math.max(this.from - this.a, Math.min(ns, this.to - this.b));
    this.zoom(this.a + by, this.b + by);
  }

  command(what) {
    const middle = (this.a + this.b) / 2, step = (this.b - this.a) / 5;
    const all = {
      in: () => this.zoomAt(middle, 0.5), out: () => this.zoomAt(middle, 2), all: () => this.zoom(this.from, this.to),
      left: () => this.move(-step), right: () => this.move(step),
    };
    if (all[what]) all[what]();
  }

  redraw() {
    if (this.queued || !this.process) return;
    this.queued = true;
    requestAnimationFrame(() => {
      this.queued = false;
      this.draw();
      this.drawOverview();
      byId("range").textContent = moment(this.a - this.from, (this.b - this.a) / 100) + " to " +
        moment(this.b - this.from, (this.b - this.a) / 100) + " (" + duration(this.b - this.a) + ")";
    });
  }

  // A canvas fit for the screen's pixels.
  prepare(canvas, height) {
    const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth || 800;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.height = height + "px";
    }
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    return [context, width];
  }

  colours() {
    const [other, dim, wait] = ["--other", "--dim", "--wait"].map(colour);
    const of = (item) => {
      if (this.matching && !(item >= 0 && this.matching[item])) return dim;
      const rank = item >= 0 ? this.ranks[item] : -1;
      return rank >= 0 && rank < PALETTE.length ? PALETTE[rank] : other;
    };
    return { of, wait };
  }

  bar(context, track, a, b, width, top, height, colours) {
    const raster = rasterise(track, a, b, width);
    // Runs of the same are one rectangle.
    const run = (value, paint) => {
      let start = 0;
      for (let x = 1; x <= width; x++) {
        if (x === width || value(x) !== value(start)) {
          if (value(start) !== null) paint(start, x - start);
          start = x;
        }
      }
    };
    context.fillStyle = colours.wait;
    run((x) => raster.covered[x] > 0.001 ? 1 : null, (x, n) => context.fillRect(x, top, n, height));
    const part = (x) => raster.serving[x] > 0 ? Math.max(1, Math.round(Math.min(1, raster.serving[x]) * height)) : 0;
    run((x) => part(x) ? part(x) * 65536 * 16 + raster.item[x] : null, (x, n) => {
      context.fillStyle = colours.of(raster.item[x]);
      context.fillRect(x, top + height - part(x), n, part(x));
    });
  }

  // Where pieces are wide enough, each has its name and is set off from the next.
  label(context, track, width, top) {
    const level = track.levels[0], scale = width / (this.b - this.a);
    const first = firstAfter(level, this.a), last = firstAfter(level, this.b);
    if (last - first > width / 8) return;
    context.textBaseline = "middle";
    for (let i = first; i <= last && i < level.n; i++) {
      if (track.kind[i] !== SERVE) continue;
      const x0 = Math.max(0, (level.from[i] - this.a) * scale), x1 = Math.min(width, (level.to[i] - this.a) * scale);
      if (x1 - x0 < 3) continue;
      context.fillStyle = colour("--wait");
      context.fillRect(x1 - 1, top, 1, this.bars);
      const item = this.process.items[level.item[i]];
      const name = item ? "fd " + item.fd : "?";
      if (context.measureText(name).width + 8 < x1 - x0) {
        context.fillStyle = "#fff";
        context.shadowColor = "#000";
        context.shadowBlur = 3;
        context.fillText(name, x0 + 4, top + this.bars / 2);
        context.shadowBlur = 0;
      }
    }
    context.textBaseline = "alphabetic";
  }

  draw() {
    const height = AXIS + this.rows.length * this.row + 2;
    const [context, width] = this.prepare(this.canvas, height);
    const [text, quiet, line] = ["--text", "--quiet", "--line"].map(colour);
    const colours = this.colours();
    context.font = "12px " + getComputedStyle(document.body).fontFamily;
    context.textBaseline = "alphabetic";
    // The axis: a step of 1, 2 or 5 that leaves room for its words.
    const least = (this.b - this.a) / (width / 110);
    const power = 10 ** Math.floor(Math.log10(least));
    const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= least);
    for (let at = Math.ceil((this.a - this.from) / step) * step; at <= this.b - this.from; at += step) {
      const x = Math.round((at + this.from - this.a) / (this.b - this.a) * width) + 0.5;
      context.strokeStyle = line;
      context.beginPath();
      context.moveTo(x, AXIS - 6);
      context.lineTo(x, height);
      context.stroke();
      context.fillStyle = quiet;
      if (x < width - 60) context.fillText(moment(at, step), x + 4, 16);
    }
    this.rows.forEach((row, n) => {
      const top = AXIS + n * this.row, turns = row.turns;
      this.bar(context, row.track, this.a, this.b, Math.floor(width), top + LABEL - 1, this.bars, colours);
      this.label(context, row.track, width, top + LABEL - 1);
      context.fillStyle = text;
      const name = (turns.thread || "thread") + " " + turns.tid;
      context.fillText(name, 8, top + 13);
      const beside = 8 + context.measureText(name).width + 10;
      context.fillStyle = quiet;
      const all = turns.waiting + turns.serving;
      context.fillText("epoll " + turns.epoll + " · " + (all ? percent(turns.serving / all) + " serving · " : "") +
        plural(turns.events, "event"), beside, top + 13);
    });
    for (const finding of this.marks) {
      const x0 = (finding.first - this.a) / (this.b - this.a) * width;
      const x1 = (finding.last - this.a) / (this.b - this.a) * width;
      if (x1 < 0 || x0 > width) continue;
      context.fillStyle = colour("--" + finding.severity);
      context.fillRect(Math.max(0, x0) - 1, AXIS - 5, Math.max(3, Math.min(width, x1) - Math.max(0, x0)), 4);
    }
  }

  drawOverview() {
    const height = 44;
    const [context, width] = this.prepare(this.overview, height);
    const colours = this.colours();
    const columns = Math.floor(width), each = (height - 8) / Math.max(1, this.rows.length);
    // If there are more loops than pixels, shows the first ones.
    const shown = this.rows.slice(0, height - 8);
    shown.forEach((row, n) => {
      const top = 4 + n * Math.max(1, each);
      this.bar(context, row.track, this.from, this.to, columns, top, Math.max(1, each > 4 ? each - 1 : each), colours);
    });
    for (const finding of this.marks) {
      const x = (finding.first - this.from) / (this.to - this.from) * width;
      context.fillStyle = colour("--" + finding.severity);
      context.fillRect(x - 1, 0, 3, 4);
    }
    const [x0, x1] = [this.a, this.b].map((ns) => (ns - this.from) / (this.to - this.from) * width);
    context.fillStyle = colour("--back");
    context.globalAlpha = 0.72;
    context.fillRect(0, 0, x0, height);
    context.fillRect(x1, 0, width - x1, height);
    context.globalAlpha = 1;
    context.strokeStyle = colour("--text");
    context.strokeRect(Math.max(0.5, x0), 0.5, Math.max(2, Math.min(width - 1, x1) - Math.max(0.5, x0)), height - 1);
  }

  // What is under the pointer.
  tell(event) {
    const box = this.canvas.getBoundingClientRect();
    const row = this.rows[Math.floor((event.clientY - box.top - AXIS) / this.row)];
    const ns = this.a + (event.clientX - box.left) / box.width * (this.b - this.a);
    if (!row || event.clientY - box.top < AXIS) return this.hide();
    const pixel = (this.b - this.a) / box.width, lines = [];
    // The pieces under the pointer, if they can be told apart; else what they add up to.
    const finest = row.track.levels[0];
    let level = finest;
    if (firstAfter(finest, ns + pixel) - firstAfter(finest, ns - pixel) > 3) {
      level = levelFor(row.track, this.a, this.b, box.width * 2);
    }
    const at = firstAfter(level, ns);
    const there = at < level.n && level.from[at] <= ns + pixel;
    const head = moment(ns - this.from, pixel);
    if (!there) {
      lines.push("nothing is known here");
    } else if (level === finest && row.track.kind[at] !== MIXED) {
      const length = duration(level.to[at] - level.from[at]);
      if (row.track.kind[at] === WAIT) {
        lines.push("waiting " + length + ", then " + plural(level.events[at], "event"));
      } else {
        lines.push("serving " + length);
        lines.push(level.item[at] >= 0 ? itemName(this.process.items[level.item[at]]) : "which descriptor is not known");
      }
    } else {
      const length = level.to[at] - level.from[at];
      lines.push(plural(level.events[at], "event") + " in " + duration(length) + ", serving " +
        percent(level.serving[at] / length));
      if (level.item[at] >= 0) lines.push("most for " + itemName(this.process.items[level.item[at]]));
    }
    const near = this.marks.filter((mark) => mark.first - 4 * pixel <= ns && ns <= mark.last + 4 * pixel);
    this.tip.replaceChildren(el("div", "quiet", head), ...lines.map((line) => el("div", "", line)),
      ...near.slice(0, 3).map((mark) => el("div", "", mark.severity + ": " + mark.title)));
    this.tip.hidden = false;
    const right = event.clientX + 14 + this.tip.offsetWidth > innerWidth;
    this.tip.style.left = (right ? event.clientX - 14 - this.tip.offsetWidth : event.clientX + 14) + "px";
    this.tip.style.top = Math.min(event.clientY + 14, innerHeight - this.tip.offsetHeight - 6) + "px";
  }

  hide() {
    this.tip.hidden = true;
  }

  listen() {
    const { canvas, overview } = this;
    const at = (event, element, a, b) => {
      const box = element.getBoundingClientRect();
      return a + Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * (b - a);
    };
    let grabbed = null;
    canvas.addEventListener("pointerdown", (event) => {
      grabbed = { x: event.clientX, a: this.a, b: this.b };
      canvas.setPointerCapture(event.pointerId);
      canvas.classList.add("moving");
      this.hide();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!grabbed) return this.tell(event);
      const by = (grabbed.x - event.clientX) / canvas.clientWidth * (grabbed.b - grabbed.a);
      this.move(grabbed.a + by - this.a);
    });
    const release = () => { grabbed = null; canvas.classList.remove("moving"); };
    canvas.addEventListener("pointerup", release);
    canvas.addEventListener("pointercancel", release);
    canvas.addEventListener("pointerleave", () => this.hide());
    canvas.addEventListener("dblclick", (event) => {
      this.zoomAt(at(event, canvas, this.a, this.b), event.shiftKey ? 4 : 0.25);
    });
    canvas.addEventListener("wheel", (event) => {
      // A plain wheel scrolls the page.
      if (event.ctrlKey || event.metaKey || event.altKey) {
        event.preventDefault();
        this.zoomAt(at(event, canvas, this.a, this.b), Math.exp(Math.max(-1, Math.min(1, event.deltaY / 200))));
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        this.move((event.deltaX || event.deltaY) / canvas.clientWidth * (this.b - this.a));
      }
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const keys = { "+": "in", "=": "in", "-": "out", "0": "all", ArrowLeft: "left", ArrowRight: "right" };
      if (keys[event.key] && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        this.command(keys[event.key]);
      }
    });
    let chosen = null;
    overview.addEventListener("pointerdown", (event) => {
      const ns = at(event, overview, this.from, this.to);
      // A press inside the present window moves it; a press outside begins a new one.
      const inside = ns > this.a && ns < this.b && this.b - this.a < (this.to - this.from) * 0.98;
      chosen = { ns, moving: inside, a: this.a };
      overview.setPointerCapture(event.pointerId);
    });
    overview.addEventListener("pointermove", (event) => {
      if (!chosen) return;
      const ns = at(event, overview, this.from, this.to);
      if (chosen.moving) this.move(chosen.a + ns - chosen.ns - this.a);
      else if (ns !== chosen.ns) this.zoom(Math.min(ns, chosen.ns), Math.max(ns, chosen.ns));
    });
    overview.addEventListener("pointerup", (event) => {
      const ns = at(event, overview, this.from, this.to);
      if (chosen && !chosen.moving && ns === chosen.ns) this.move(ns - (this.a + this.b) / 2);
      chosen = null;
    });
    overview.addEventListener("dblclick", () => this.command("all"));
    document.querySelectorAll("[data-do]").forEach((button) => {
      button.addEventListener("click", () => this.command(button.dataset.do));
    });
  }
}
