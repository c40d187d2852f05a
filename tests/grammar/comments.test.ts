import { describe, expect, it } from "vitest";
import { parse } from "../../grammar/parser/parse.ts";
import { printSyntax } from "../../grammar/syntax/print-syntax.ts";

const format = (text: string): string => {
  const { tree, diagnostics } = parse({ file: "c.spx", text });
  expect(diagnostics).toEqual([]);
  return printSyntax(tree);
};

describe("comments", () => {
  it("stay before, after and at the end of what they are about", () => {
    const text = `// licence

// about the import
import { topk } from "std/select"  // from there

// a section

// about T
/// What T is.
///
/// More of it.
transform T(
  /// the base
  W: frozen [out, in],  // never trained
  // a rank
  r: int = 4,  // small
) {
  // the first
  require r <= out  // always

  // the weight
  weight = W  // as it is
  // nothing follows
}  // end of T

model M {
  // every one
  for "a.*" use T  // here
  freeze "**"  // the rest

  // done
}

// the end

// really
`;
    expect(format(text)).toBe(text);
  });

  it("inside a statement move before it", () => {
    expect(format("function f(A: [m, n]) =\n  A // one\n  + // two\n  A // three\n")).toBe(
      "// one\n// two\nfunction f(A: [m, n]) = A + A  // three\n",
    );
    expect(format("transform T(W: [n, n] // base\n  , r: int) {\n weight = ( // open\n W) }")).toBe(
      "transform T(\n  W: [n, n],  // base\n  r: int,\n) {\n  // open\n  weight = W\n}\n",
    );
  });

  it("are never lost", () => {
    const words =
      "transform T ( W : frozen [ n , n ] , r : int = 4 ) { require r < n mask M : nm ( 2 , 4 ) along n = f ( W , s : 1 ) weight = M .* W }".split(
        " ",
      );
    for (let index = 0; index <= words.length; index += 1) {
      const text = [...words.slice(0, index), "// kept\n", ...words.slice(index)].join(" ");
      const printed = format(text);
      expect(printed.split("// kept").length, printed).toBe(2);
      expect(format(printed)).toBe(printed);
    }
  });

  it("that stand alone make a file", () =>
    expect(format("// only this\n\n\n\n// and this")).toBe("// only this\n\n// and this\n"));

  it("may hold anything", () =>
    expect(format('// { ( [ " transform ⊙ ;\n')).toBe('// { ( [ " transform ⊙ ;\n'));

  it("of Windows files read the same", () => {
    expect(format("// a\r\n\r\n// b\r\nfunction f() = 1 // c\r\n")).toBe(
      "// a\n\n// b\nfunction f() = 1  // c\n",
    );
  });
});

describe("the printed form", () => {
  it("breaks long lists one entry a line, with a last comma", () => {
    const names = Array.from({ length: 12 }, (_, index) => `argument_${index}`);
    expect(format(`function f() = g(${names.join(", ")})`)).toBe(
      `function f() = g(\n${names.map((name) => `  ${name},\n`).join("")})\n`,
    );
  });

  it("breaks long sums before their operators", () => {
    const terms = Array.from({ length: 9 }, (_, index) => `factor_${index} @ other_${index}`);
    expect(format(`transform T() { weight = ${terms.join(" + ")} }`)).toBe(
      `transform T() {\n  weight = ${terms.join("\n    + ")}\n}\n`,
    );
  });

  it("keeps lines within 100 columns where they can break", () => {
    const text = format(
      `transform Long(${Array.from({ length: 9 }, (_, index) => `parameter_${index}: frozen [out, in]`).join(", ")}) { weight = ${Array.from({ length: 9 }, (_, index) => `f_${index}(parameter_${index}, g(${index}), scale: 0.5)`).join(" + ")} }`,
    );
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(100);
  });

  it("aligns neighbouring masks and params, and leaves wide ones out", () => {
    expect(
      format(
        "transform T(W: [n, n]) { mask M: nm(2, 4) along n = f(W) param A: [n, n] = 0 support S = g(W)\nparam B: sparse [n, n] on topk(abs(W), count_of_entries) = 0\nparam C: [n, n]\n\nparam D: [n, n] = 0 weight = W }",
      ),
    ).toBe(`transform T(W: [n, n]) {
  mask    M: nm(2, 4) along n = f(W)
  param   A: [n, n]           = 0
  support S                   = g(W)
  param   B: sparse [n, n] on topk(abs(W), count_of_entries) = 0
  param   C: [n, n]

  param D: [n, n] = 0
  weight = W
}
`);
  });

  it("of an empty file is empty", () => expect(format("  \n\n")).toBe(""));
});
