/** Which rates a term of a step goes by: those of its atom, unless its panels have to be decoded. */
import { type CodedFormat, isCoded, type OperandFormat } from "../../runtime/contract/operand-format.ts";
import type { RatedAtom } from "../targets/rate-table.ts";
import type { StepTerm } from "./plan.ts";

const codedAtoms: Readonly<Record<CodedFormat["name"], RatedAtom>> = {
  "table4-panel16": "table4",
  "int8-panel16": "int8",
  "bf16-panel16": "bf16",
};

export const ratedAtom = (atom: StepTerm["atom"], format: OperandFormat): RatedAtom =>
  isCoded(format) ? codedAtoms[format.name] : atom;
