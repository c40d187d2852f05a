// What `npm test` counts from vitest's report.

import { expect, it } from "vitest";
import { countOutcomes } from "../../scripts/test.mjs";

const file = (status: string, ...tests: string[]) => ({
  name: "a.test.ts",
  status,
  assertionResults: tests.map((one) => ({ status: one })),
});

it("counts tests by outcome, whatever vitest calls the ones that did not run", () => {
  const report = {
    testResults: [file("passed", "passed", "skipped", "todo", "pending"), file("failed", "passed", "failed")],
  };
  expect(countOutcomes(report)).toEqual({ passed: 2, failed: 1, skipped: 3 });
});

it("counts a file that failed before its tests ran as one failure", () => {
  expect(countOutcomes({ testResults: [file("failed")] })).toEqual({ passed: 0, failed: 1, skipped: 0 });
  expect(countOutcomes({ testResults: [file("failed", "passed")] })).toEqual({
    passed: 1,
    failed: 1,
    skipped: 0,
  });
});
