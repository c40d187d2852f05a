/**
 * Mistakes in a source file, through the command line: coded messages at the right places, exit status 1, no file
 * written.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { JsonDiagnostic } from "../../compiler/diagnostics/render-json.ts";
import { runSpxc } from "../cli/spxc-in-process.ts";

const folder = mkdtempSync(join(tmpdir(), "spx-mistakes-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Mistake {
  readonly what: string;
  readonly source: string;
  /** Code, text at the primary span, texts at the secondary ones. */
  readonly expected: readonly (readonly [code: string, at: string, ...others: string[]])[];
  /** In the message or its help. */
  readonly says: readonly RegExp[];
}

const mistakes: readonly Mistake[] = [
  {
    what: "three syntax errors in one file",
    source: `transform First(W: frozen [out, in]) {
  mask M: nm(2, 4) along in = = magnitude(W)
  weight = M .* W
}

transform Second(W: frozen [out, in] {
  weight = W;
}
`,
    expected: [
      ["SPX1301", "="],
      ["SPX1005", "", "("],
      ["SPX1003", ";"],
    ],
    says: [/expected a value after `=`/, /add `\)`/, /no `;` ends a statement/],
  },
  {
    what: "unknown names of three kinds",
    source: `import { magnitud } from "std/select"

transform T(W: frozen [out, in], alpha: real = 2) {
  param B: [out, in] = 0
  weight = W + alhpa * B
}

model Encoder {
  for "layer.*" use Tee
}
`,
    expected: [
      ["SPX2202", "magnitud"],
      ["SPX2001", "alhpa"],
      ["SPX2002", "Tee"],
    ],
    says: [/did you mean `magnitude`\?/, /did you mean `alpha`\?/, /there is no transform `Tee`/],
  },
  {
    what: "a sum of two shapes",
    source: `transform T(W: frozen [out, in], r: int = 4) {
  param B: [out, r] = 0
  weight = W + B
}
`,
    expected: [["SPX4001", "B", "W"]],
    says: [/`\+` joins \[out, in\] and \[out, r\]/],
  },
  {
    what: "a product whose inner sizes differ",
    source: `transform T(W: frozen [out, in], r: int = 4, q: int = 4) {
  param B: [out, r] = 0
  param A: [q, in] = 0
  weight = W + B @ A
}
`,
    expected: [["SPX4002", "A", "B"]],
    says: [/inner dimensions `r` and `q` differ/],
  },
  {
    what: "a rank above min(out, in)",
    source: `transform T(W: frozen [64, 48], r: const int = 49) {
  require r <= min(64, 48)
  param B: [64, r] = 0
  param A: [r, 48] = 0
  weight = W + B @ A
}
`,
    expected: [["SPX4201", "r <= min(64, 48)", "r: const int = 49"]],
    says: [/the rank is larger than the matrix/],
  },
  {
    what: "more free entries than out * in",
    source: `import { topk } from "std/select"

transform T(W: frozen [8, 6]) {
  param S: sparse [8, 6] on topk(abs(W), 49) = 0
  weight = W + S
}
`,
    expected: [["SPX4401", "topk(abs(W), 49)"]],
    says: [/`49 <= 48`/],
  },
  {
    what: "`in % 4` refuted by the size",
    source: `import { magnitude } from "std/select"

transform T(W: frozen [8, 10], n: const int = 10) {
  require n % 4 == 0
  mask M: unstructured = magnitude(W, 0.5)
  weight = M .* W
}
`,
    expected: [["SPX4101", "n % 4 == 0", "n: const int = 10"]],
    says: [/`n % 4 == 0` cannot hold/],
  },
  {
    what: "groups of 4 on an axis of 10",
    source: `import { magnitude } from "std/select"

transform T(W: frozen [8, 10]) {
  mask M: nm(2, 4) along input = magnitude(W)
  weight = M .* W
}
`,
    expected: [["SPX4102", "nm(2, 4) along input", "magnitude(W)"]],
    says: [/`10 % 4 == 0` cannot hold/],
  },
  {
    what: "a weight that is always zero",
    source: `transform T(W: frozen [out, in]) {
  weight = W - W
}
`,
    expected: [["SPX6001", "W - W"]],
    says: [/zero for all parameters/],
  },
];

describe.each(mistakes)("$what", ({ source, expected, says }) => {
  const file = join(folder, "case.spx");
  const output = join(folder, "out");

  it("is told at its place, in JSON and in text, and nothing is built", async () => {
    writeFileSync(file, source);
    const told = await runSpxc(["build", file, "-o", output, "--json"]);
    expect(told.status).toBe(1);
    const { ok, diagnostics } = JSON.parse(told.stdout) as { ok: boolean; diagnostics: JsonDiagnostic[] };
    expect(ok).toBe(false);
    const found = diagnostics.map(({ code, primary, secondary }) => [
      code,
      ...[primary, ...secondary].map((label) => label && source.slice(label.span.start, label.span.end)),
    ]);
    expect(found).toEqual(expected);

    const { status, stdout, stderr } = await runSpxc(["build", file, "-o", output]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    for (const pattern of says) expect(stderr).toMatch(pattern);
    for (const { code, primary } of diagnostics) {
      const { line, column } = primary?.span.from ?? { line: 0, column: 0 };
      expect(stderr).toContain(`error[${code}]`);
      expect(stderr).toContain(`case.spx:${line}:${column}\n`);
    }
    expect(existsSync(output)).toBe(false);
    expect(readdirSync(folder)).toEqual(["case.spx"]);
  });
});
