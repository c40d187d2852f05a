import { test } from "vitest";
import { truncatedSvd } from "../../runtime/linalg/truncated-svd.ts";
import { jacobiSvd } from "../../runtime/linalg/jacobi-svd.ts";
import { fillNormal } from "../../runtime/random/distributions.ts";
import { randomStream } from "../../runtime/random/philox.ts";
import { writeFileSync } from "node:fs";
test("t", () => {
  const out: string[] = [];
  for (const [r, c] of [[384, 1536], [1536, 384], [768, 3072], [384,384]] as const) {
    const a = fillNormal(randomStream(1, "a"), new Float32Array(r * c));
    for (let i = 0; i < 2; i++) { const t = performance.now(); const x = truncatedSvd(a, r, c, 16); out.push(`${r}x${c} ${performance.now() - t} ms s0=${x.s[0]} s15=${x.s[15]} sum2=${x.s.reduce((p, q) => p + q * q, 0)}`); }
    if (r * c === 384 * 384) { const t = performance.now(); const e = jacobiSvd(Float64Array.from(a), r, c); out.push(`exact ${performance.now() - t} s0=${e.s[0]} s15=${e.s[15]} sum2=${e.s.slice(0, 16).reduce((p, q) => p + q * q, 0)} all=${e.s.reduce((p, q) => p + q * q, 0)}`); }
    writeFileSync(`/tmp/h2/a_${r}_${c}.bin`, a);
  }
  const b = new Float32Array(384 * 1536); const t = performance.now(); fillNormal(randomStream(3, "x"), b); out.push(`normal ns ${(performance.now() - t) / b.length * 1e6}`);
  writeFileSync("/tmp/h2/out.txt", out.join("\n"));
}, 60000);
