/** The text of a manifest: the same values as any JSON, on few lines. */
import { expect, test } from "vitest";
import { manifestText } from "../../compiler/emit/manifest-text.ts";
import { apply, type NumberExpression, number, symbol } from "../../runtime/contract/number-expression.ts";
import { sampleManifest } from "../runtime/model-sample.ts";

const deep = (levels: number): NumberExpression =>
  levels === 0 ? symbol("out") : apply("+", deep(levels - 1), number(levels));

const manifest = sampleManifest();
const text = manifestText(manifest);

test("reads back as the manifest", () => {
  expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(manifest)));
});

test("is hardly longer than without any space, in lines for people", () => {
  expect(text.length).toBeLessThan(1.6 * JSON.stringify(manifest).length);
  for (const line of text.split("\n").filter((one) => !one.includes('"kind":"apply"')))
    expect(line.length).toBeLessThan(200);
});

test("formulas stand on one line however long they are", () => {
  const requirements = [
    { code: "SPX3001", text: "all", condition: deep(60), location: { file: "a.spx", line: 1, column: 1 } },
  ];
  const [sample] = manifest.transforms;
  if (sample === undefined) throw new Error("no transform");
  const { length } = manifestText({ ...manifest, transforms: [sample] }).split("\n");
  const more = manifestText({ ...manifest, transforms: [{ ...sample, requirements }] }).split("\n");
  expect(Math.abs(more.length - length)).toBeLessThan(20);
});

test("breaks what does not fit a line, a value on each", () => {
  const names = Array.from({ length: 12 }, (_, index) => `${"long".repeat(4)}${index}`);
  const sources = names.map((file) => ({ file, sha256: "0" }));
  const lines = manifestText({ ...manifest, sources }).split("\n");
  expect(lines).toContain('  {"file": "longlonglonglong7", "sha256": "0"},');
  expect(lines).toContain(' "sources": [');
});
