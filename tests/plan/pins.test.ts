/** Pins hold the plan to their claims, or say why they cannot. */
import { describe, expect, it } from "vitest";
import { planFile } from "../../compiler/driver/compile.ts";
import { textHost } from "../check/text-host.ts";

const head = `transform T(W: frozen [out, in], r: int = 8) {
  require r <= min(out, in)
  param B: [out, r] = 0
  param A: [r, in]  = 0.02
  weight = W + 2 * (B @ A)
`;

function planned(...pins: readonly string[]) {
  const text = `${head}${pins.map((pin) => `  pin ${pin}\n`).join("")}}\n`;
  const { transforms, diagnostics } = planFile("pins.spx", textHost({ "pins.spx": text }));
  return { plan: transforms[0]?.plan, codes: diagnostics.map(({ code }) => code), diagnostics };
}

describe("pins", () => {
  it("keep terms apart, or merge them", () => {
    const forms = (...pins: readonly string[]) =>
      new Set(planned(...pins).plan?.variants.map(({ form }) => form));
    expect(forms("separate B @ A")).toEqual(new Set(["y = W x + (2 * B) (A x)"]));
    expect(forms("merge W + B @ A")).toEqual(new Set(["y = (W + 2 * (B @ A)) x"]));
    expect(forms("merge B @ A")).toEqual(new Set(["y = W x + (2 * (B @ A)) x"]));
  });

  it("hold the layout, and say what that costs", () => {
    const { plan } = planned("layout = lane_token", "separate B @ A");
    expect(plan?.variants.map(({ name }) => name)).toEqual(["separate/lane-token"]);
    expect(plan?.notes.join()).toMatch(
      /the pins cost up to \d+\.\d\d times the free plan, most at out = \d+/,
    );
    expect(planned().plan?.notes.join()).not.toContain("pins");
  });

  it("hold the tokens of a tile, with the layout that has such tiles, and say what that costs", () => {
    const layouts = (...pins: readonly string[]) =>
      new Set(planned(...pins).plan?.variants.map(({ layout }) => layout));
    expect(layouts("tile = 2")).toEqual(new Set(["lane-output"]));
    expect(layouts("tile = 16")).toEqual(new Set(["lane-token"]));
    const { plan } = planned("tile = 1");
    expect(plan?.tile).toBe(1);
    expect(plan?.notes.join()).toMatch(/the pins cost up to \d+\.\d\d times the free plan/);
    expect(planned("layout = lane_token").plan?.tile).toBeUndefined();
  });

  it("refuse a tile that no registers hold, or that the pinned layout lacks", () => {
    const { codes, diagnostics } = planned("tile = 5");
    expect(codes).toEqual(["SPX6303"]);
    expect(diagnostics[0]?.primary?.text).toBe("pinned here");
    expect(diagnostics[0]?.because.join()).toContain("1, 2, 3, 4 tokens where a lane is an output, 16, 32");
    expect(planned("tile = 16", "layout = lane_output").codes).toEqual(["SPX6302"]);
    expect(planned("tile = 2", "tile = 3").codes).toEqual(["SPX6302"]);
    expect(planned("tile = 2.5").codes).toEqual(["SPX3104"]);
    expect(planned("tile = many").codes).toEqual(["SPX3104"]);
  });

  it("of groups keep to layouts whose kernels read groups, and are refused where none does", () => {
    const grouped = (pattern: string) => {
      const text = `import { magnitude } from "std/select"
transform T(W: frozen [out, in]) {
  require out % 4 == 0 and in % 32 == 0
  mask M: ${pattern} = magnitude(W${pattern.startsWith("block") ? ", 0.5" : ""})
  weight = M .* W
  pin format M .* W = groups
}
`;
      const { transforms, diagnostics } = planFile("pins.spx", textHost({ "pins.spx": text }));
      const plan = transforms[0]?.plan;
      const layouts = plan?.variants.map(({ layout }) => layout);
      return { layouts: [...new Set(layouts)].sort(), codes: diagnostics.map(({ code }) => code) };
    };
    expect(grouped("nm(2, 4) along in").layouts).toContain("lane-output");
    expect(grouped("block(4, 1)").layouts).toContain("lane-token");
    expect(grouped("nm(3, 32) along in").layouts).toContain("lane-token");
    expect(grouped("nm(2, 4) along out").codes).toEqual(["SPX6302"]);
  });

  it("are shown as they are written", () => {
    const text = `${head}  pin tile = 4\n  pin separate B @ A\n  pin format W = dense\n}\n`;
    const { transforms } = planFile("pins.spx", textHost({ "pins.spx": text }));
    expect(transforms[0]?.checked.pins?.map((pin) => pin.text)).toEqual([
      "tile = 4",
      "separate B @ A",
      "format W = dense",
    ]);
  });

  it("are refused where they speak of no part, or cannot be kept, with both places", () => {
    const other = planned("merge A.T @ A");
    expect(other.codes).toEqual(["SPX6301"]);
    expect(other.diagnostics[0]?.secondary).toHaveLength(1);
    expect(planned("format W = csr").codes).toEqual(["SPX6302"]);
    expect(planned("merge B @ A", "separate B @ A").codes).toEqual(["SPX6302"]);
    expect(planned("format W = cssr").codes).toEqual(["SPX3104"]);
    expect(planned("format W = dense").codes).toEqual([]);
  });
});
