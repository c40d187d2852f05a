/**
 * Every code that spx can raise, with its name and one line. Read by `spxc explain CODE` and by tests; the checker
 * itself imports only the kinds it reports.
 */
import { syntaxProblems } from "../../grammar/parser/syntax-problems.ts";
import { runtimeErrorCodes } from "../../runtime/errors.ts";
import { driverDiagnostics } from "./driver-diagnostics.ts";
import * as names from "./name-diagnostics.ts";
import * as shapes from "./shape-diagnostics.ts";
import * as structures from "./structure-diagnostics.ts";
import * as time from "./time-diagnostics.ts";
import * as training from "./training-diagnostics.ts";
import * as types from "./type-diagnostics.ts";

export interface CatalogueEntry {
  readonly code: string;
  readonly name: string;
  readonly severity: "error" | "warning";
  readonly summary: string;
  /** Where the longer explanation is: a file of `explanations/`, the row of a table, or only the summary. */
  readonly explanation: "file" | "syntax-table" | "summary";
}

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const checked = [names, types, shapes, training, time, structures].flatMap((phase) =>
  Object.values(phase).map(
    ({ code, name, severity, summary }): CatalogueEntry => ({
      code,
      name,
      severity,
      summary,
      explanation: "file",
    }),
  ),
);

const syntax = Object.entries(syntaxProblems).map(
  ([name, { code, title }]): CatalogueEntry => ({
    code,
    name: kebab(name),
    severity: "error",
    summary: title,
    explanation: "syntax-table",
  }),
);

const runtime = Object.entries(runtimeErrorCodes).map(
  ([code, [name, summary]]): CatalogueEntry => ({
    code,
    name,
    severity: "error",
    summary,
    explanation: "summary",
  }),
);

const driver = driverDiagnostics.map(
  ({ code, name, summary, page }): CatalogueEntry => ({
    code,
    name,
    severity: "error",
    summary,
    explanation: page ? "file" : "summary",
  }),
);

/** All codes in ascending order. */
export const catalogue: readonly CatalogueEntry[] = [...syntax, ...checked, ...driver, ...runtime].sort(
  (a, b) => (a.code < b.code ? -1 : 1),
);
