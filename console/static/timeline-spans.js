// What the server sent for the timeline, ready to be searched: of each track its spans in order, none over another.
(() => {
  "use strict";
  globalThis.timeline = {}; // what the files of the timeline, timeline-*.js, give each other

  timeline.Spans = class {
    constructor(sent) {
      const { track, born, start, took: lasts, lead, wait, look } = sent.columns;
      const n = born.length, tracks = sent.keys.length;
      this.since = sent.since / 1000;
      this.until = sent.until / 1000;
      this.time = sent.time / 1000;
      this.count = n;
      this.first = new Uint32Array(tracks + 1);
      for (let i = 0; i < n; i++) this.first[track[i] + 1]++;
      for (let t = 0; t < tracks; t++) this.first[t + 1] += this.first[t];
      const next = this.first.slice();
      this.born = new Float64Array(n);
      this.start = new Float64Array(n);
      this.end = new Float64Array(n);
      this.lead = new Float64Array(n);
      this.wait = new Float64Array(n);
      this.look = new Uint8Array(n);
      for (let i = 0, number = 0, at = this.since; i < n; i++) {
        number += born[i];
        at += start[i];
        const place = next[track[i]]++;
        this.born[place] = number;
        this.start[place] = at;
        this.end[place] = at + lasts[i];
        this.lead[place] = lead[i];
        this.wait[place] = wait[i];
        this.look[place] = look[i];
      }
      const places = new Map(sent.keys.map((key, place) => [key, place]));
      this.parts = sent.parts.filter((part) => places.has(part.track)).map((part) => (
        { track: places.get(part.track), what: part.what, since: part.since / 1000, until: part.until / 1000 }));
    }

    // The first span of a track that ends at or after an instant.
    at(track, instant) {
      let low = this.first[track], high = this.first[track + 1];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (this.end[middle] < instant) low = middle + 1;
        else high = middle;
      }
      return low;
    }
  };
})();
