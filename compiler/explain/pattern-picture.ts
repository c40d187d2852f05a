/** Zero patterns as small SVG pictures: which entries of a 32 x 32 corner or of the whole matrix may be nonzero. */
import type { StructurePicture } from "./explanation.ts";

const cells = 32;
const side = 160;
const cell = side / cells;

/** A small generator (xorshift), so that a picture is the same every time. */
function createGenerator(seed: number): () => number {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

type Filled = (row: number, column: number) => boolean;

/** N of each M, drawn anew for each group. */
function groups(n: number, m: number, along: "input" | "output"): Filled {
  const next = createGenerator(n * 31 + m);
  const kept = new Set<string>();
  for (let line = 0; line < cells; line++) {
    for (let start = 0; start < cells; start += m) {
      const order = Array.from({ length: m }, (_, index) => ({ index, key: next() })).sort(
        (a, b) => a.key - b.key,
      );
      for (const { index } of order.slice(0, n)) kept.add(`${line} ${start + index}`);
    }
  }
  return (row, column) => kept.has(along === "input" ? `${row} ${column}` : `${column} ${row}`);
}

function randomBlocks(height: number, width: number, density: number): Filled {
  const next = createGenerator(height * 131 + width * 17 + Math.round(density * 997));
  const kept = new Map<string, boolean>();
  return (row, column) => {
    const key = `${Math.floor(row / height)} ${Math.floor(column / width)}`;
    const known = kept.get(key) ?? next() < density;
    kept.set(key, known);
    return known;
  };
}

function filledBy(picture: StructurePicture): Filled {
  switch (picture.kind) {
    case "nm":
      return groups(picture.n, picture.m, picture.axis);
    case "unstructured":
      return randomBlocks(1, 1, picture.density);
    case "block":
      return randomBlocks(picture.height, picture.width, picture.density);
    case "blockdiag": {
      const blocks = Math.min(picture.blocks, cells);
      return (row, column) => Math.floor((row * blocks) / cells) === Math.floor((column * blocks) / cells);
    }
    case "stride": {
      // Scaled down to the picture: (P v)[k s + j] = v[j (n / s) + k] with s between 2 and half of the cells.
      const stride = Math.max(2, Math.min(cells / 2, 2 ** Math.round(Math.log2(Math.sqrt(cells)))));
      const quotient = cells / stride;
      return (row, column) => column === (row % stride) * quotient + Math.floor(row / stride);
    }
    case "diagonal":
      return (row, column) => row === column;
    default:
      return () => true;
  }
}

function cellsOf(filled: Filled): string {
  const rectangles: string[] = [];
  for (let row = 0; row < cells; row++) {
    for (let column = 0; column < cells; ) {
      let end = column;
      while (end < cells && filled(row, end)) end += 1;
      if (end > column) {
        rectangles.push(
          `M${column * cell} ${row * cell}h${(end - column) * cell}v${cell}h${(column - end) * cell}z`,
        );
        column = end;
      } else column += 1;
    }
  }
  return `<path class="on" d="${rectangles.join("")}"/>`;
}

/** A tall and a wide factor beside each other. */
function factors(rank: number): string {
  const thin = Math.max(6, Math.min(side / 3, 4 + 3 * Math.log2(Math.max(1, rank))));
  return [
    `<rect class="on" x="0" y="0" width="${thin}" height="${side}"/>`,
    `<rect class="on" x="${thin + 10}" y="0" width="${side - thin - 10}" height="${thin}"/>`,
    `<text x="${thin + 14}" y="${thin + 20}">rank ${rank}</text>`,
  ].join("");
}

/** An inline SVG; colours come from the page. */
export function patternPicture(picture: StructurePicture, title: string): string {
  const inside = picture.kind === "low-rank" ? factors(picture.rank) : cellsOf(filledBy(picture));
  return `<svg class="pattern" viewBox="-1 -1 ${side + 2} ${side + 2}" width="${side}" height="${side}" role="img" aria-label="${title}"><rect class="frame" x="0" y="0" width="${side}" height="${side}"/>${inside}</svg>`;
}
