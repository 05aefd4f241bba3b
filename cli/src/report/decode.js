// A loop's timeline: pieces, and above them levels of ever coarser ones, so that a view of any length is drawn from
// a few thousand.

const WAIT = 0, SERVE = 1, MIXED = 2;
const FACTOR = 4;

// Columns of numbers for `n` pieces: from, to; the time serving; the item that took most of it (its place in the
// table, -1 not known or not told of) and how much; how many events came.
function columns(n) {
  return {
    n, from: new Float64Array(n), to: new Float64Array(n), serving: new Float64Array(n),
    item: new Int32Array(n).fill(-1), most: new Float64Array(n), events: new Float64Array(n),
    covered: new Float64Array(n),
  };
}

function decode(turns, numbers) {
  const text = atob(turns.track);
  const level = columns(turns.pieces);
  const kind = new Uint8Array(turns.pieces);
  let at = 0, end = 0;
  // Up to 2^53 all is exact: a shift would end at 2^32.
  const number = () => {
    let value = 0, scale = 1;
    for (;;) {
      const byte = text.charCodeAt(at++);
      value += (byte & 127) * scale;
      if (!(byte & 128)) return value;
      scale *= 128;
    }
  };
  const place = (n) => n ? numbers[n - 1] : -1;
  for (let i = 0; i < turns.pieces; i++) {
    const head = number();
    kind[i] = head % 4;
    const from = end + (head - kind[i]) / 4;
    end = from + number();
    level.from[i] = from;
    level.to[i] = end;
    level.covered[i] = end - from;
    if (kind[i] === WAIT) {
      level.events[i] = number();
    } else if (kind[i] === SERVE) {
      level.item[i] = place(number());
      level.serving[i] = level.most[i] = end - from;
    } else {
      level.serving[i] = number();
      level.events[i] = number();
      level.item[i] = place(number());
      level.most[i] = level.serving[i];
    }
  }
  const levels = [level];
  while (levels[levels.length - 1].n > 512) levels.push(coarser(levels[levels.length - 1]));
  return { levels, kind };
}

function coarser(fine) {
  const n = Math.ceil(fine.n / FACTOR);
  const level = columns(n);
  for (let i = 0; i < n; i++) {
    const first = i * FACTOR, last = Math.min(first + FACTOR, fine.n) - 1;
    level.from[i] = fine.from[first];
    level.to[i] = fine.to[last];
    for (let j = first; j <= last; j++) {
      level.serving[i] += fine.serving[j];
      level.events[i] += fine.events[j];
      level.covered[i] += fine.covered[j];
      let most = fine.most[j];
      for (let k = first; k < j; k++) if (fine.item[k] === fine.item[j]) most += fine.most[k];
      if (most > level.most[i]) {
        level.most[i] = most;
        level.item[i] = fine.item[j];
      }
    }
  }
  return level;
}

// The first piece that ends after a moment.
function firstAfter(level, ns) {
  let low = 0, high = level.n;
  while (low < high) {
    const mid = (low + high) >> 1;
    if (level.to[mid] > ns) high = mid; else low = mid + 1;
  }
  return low;
}

// The finest level that has at most `most` pieces between two moments.
function levelFor(track, a, b, most) {
  for (const level of track.levels) {
    if (firstAfter(level, b) - firstAfter(level, a) <= most) return level;
  }
  return track.levels[track.levels.length - 1];
}

// What each of `width` columns between two moments shows: the shares of time that are known and serving, and the
// item that took most.
function rasterise(track, a, b, width) {
  const covered = new Float32Array(width), serving = new Float32Array(width);
  const item = new Int32Array(width).fill(-1), most = new Float32Array(width);
  if (!track.levels[0].n) return { covered, serving, item };
  const level = levelFor(track, a, b, width * 3);
  const scale = width / (b - a);
  for (let i = firstAfter(level, a); i < level.n && level.from[i] < b; i++) {
    const x0 = Math.max(0, (level.from[i] - a) * scale), x1 = Math.min(width, (level.to[i] - a) * scale);
    const length = level.to[i] - level.from[i] || 1;
    const share = level.serving[i] / length, known = level.covered[i] / length;
    for (let x = Math.floor(x0); x < width && (x < x1 || x === Math.floor(x0)); x++) {
      const part = Math.max(0, Math.min(x1, x + 1) - Math.max(x0, x));
      covered[x] += part * known;
      serving[x] += part * share;
      const weight = part * level.most[i] / length + (level.serving[i] ? 1e-9 : 0);
      if (weight > most[x]) {
        most[x] = weight;
        item[x] = level.item[i];
      }
    }
  }
  return { covered, serving, item };
}
