/**
 * `spx.lock`: what the compiler chose for the transforms of the files of a folder, so that a later build can ask for the
 * same. Pure: text in, text out; commands read and write the file. Keys come in a fixed order, so that equal choices give
 * equal bytes.
 */
import { createHash } from "node:crypto";
import { printBackwardStep } from "../plan/print-backward.ts";
import { printMerge } from "../plan/print-plan.ts";
import { printStep } from "../plan/print-step.ts";
import type { Compilation, TransformStages } from "./compilation.ts";

/** The choices of one variant. */
export interface LockedVariant {
  readonly name: string;
  readonly form: string;
  readonly steps: readonly string[];
  /** Operand → format. */
  readonly formats: Readonly<Record<string, string>>;
  readonly rules: readonly string[];
}

export interface LockedTransform {
  readonly variants: readonly LockedVariant[];
  readonly merge: string;
  readonly backward: readonly string[];
}

export interface LockedFile {
  /** sha256 over the texts of the file and of all that it imports. */
  readonly source: string;
  readonly compiler: string;
  /** The table that prices were made with. */
  readonly rates: { readonly name: string; readonly id: string };
  readonly transforms: Readonly<Record<string, LockedTransform>>;
}

export interface PlanLock {
  readonly kind: "spx-lock";
  readonly version: 1;
  /** Base name of a file → its choices. */
  readonly files: Readonly<Record<string, LockedFile>>;
}

export const emptyLock: PlanLock = { kind: "spx-lock", version: 1, files: {} };

const sorted = <T>(entries: readonly (readonly [string, T])[]): Readonly<Record<string, T>> =>
  Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));

function lockedTransform({ plan }: TransformStages): LockedTransform {
  const formats = new Map(plan.operands.map(({ name, format }) => [name, format.name]));
  return {
    variants: plan.variants.map(({ name, form, steps, rules }) => ({
      name,
      form,
      steps: steps.map(printStep),
      formats: sorted(
        steps.flatMap(({ terms }) =>
          terms.map(({ operand }) => [operand, formats.get(operand) ?? ""] as const),
        ),
      ),
      rules,
    })),
    merge: printMerge(plan.merge),
    backward: plan.backward.steps.map((step) => printBackwardStep(step, plan.operands)),
  };
}

/** What `compilation` chose. Requires one without errors. */
export function lockOf(compilation: Compilation, compiler: string): LockedFile {
  const hash = createHash("sha256");
  for (const { text } of compilation.sources) hash.update(`${text.length}\n${text}`);
  const [first] = compilation.transforms;
  const { name = "default", id = "" } = first?.plan.rates ?? {};
  return {
    source: hash.digest("hex"),
    compiler,
    rates: { name, id },
    transforms: sorted(
      compilation.transforms.map((stages) => [stages.checked.name, lockedTransform(stages)] as const),
    ),
  };
}

/** The lock with the choices of one file in place of what it said of that file. */
export const withFile = (lock: PlanLock, file: string, locked: LockedFile): PlanLock => ({
  ...lock,
  files: sorted([...Object.entries(lock.files).filter(([name]) => name !== file), [file, locked]]),
});

export const printLock = (lock: PlanLock): string => `${JSON.stringify(lock, null, 2)}\n`;

/** Null when the text is no lock of this version. */
export function readLock(text: string): PlanLock | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return null;
    const { kind, version, files } = value as Partial<PlanLock>;
    return kind === "spx-lock" && version === 1 && typeof files === "object" && files !== null
      ? { kind, version, files }
      : null;
  } catch {
    return null;
  }
}

const linesOf = ({ variants, merge, backward }: LockedTransform): readonly string[] => [
  ...variants.flatMap(({ name, form, steps, formats }) => [
    `${name}: ${form}`,
    ...steps.map((step) => `  ${step}`),
    ...Object.entries(formats).map(([operand, format]) => `  ${operand}: ${format}`),
  ]),
  `merge ${merge}`,
  ...backward.map((step) => `backward ${step}`),
];

/** Lines that one side has and the other lacks, transform by transform: `- ` of the lock, `+ ` of now. */
export function differencesOf(locked: LockedFile, now: LockedFile): readonly string[] {
  const names = new Set([...Object.keys(locked.transforms), ...Object.keys(now.transforms)]);
  return [...names].sort().flatMap((name) => {
    const [old, fresh] = [locked.transforms[name], now.transforms[name]];
    const before = old === undefined ? [] : linesOf(old);
    const after = fresh === undefined ? [] : linesOf(fresh);
    const changed = [
      ...before.filter((line) => !after.includes(line)).map((line) => `- ${line}`),
      ...after.filter((line) => !before.includes(line)).map((line) => `+ ${line}`),
    ];
    // The order of equal lines is a choice, too: of variants that cost the same the first is called.
    if (changed.length === 0 && before.join("\n") !== after.join("\n"))
      changed.push("~ the order of variants");
    return changed.length === 0 ? [] : [`transform ${name}`, ...changed.map((line) => `  ${line}`)];
  });
}
