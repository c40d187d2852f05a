/** What the planner infers of a weight and its summands, in words and as pictures. */
import {
  evaluateNumber,
  type NumberExpression,
  type SymbolValues,
} from "../../runtime/contract/number-expression.ts";
import { childrenOf } from "../algebra/algebra-graph.ts";
import type { Term } from "../algebra/algebra-node.ts";
import { printTerm } from "../algebra/print-algebra.ts";
import { isTrainable, rankBound, zeroStructure } from "../algebra/structure.ts";
import type { ExplainedStructure, StructurePicture } from "./explanation.ts";
import { printCount } from "./print-quantity.ts";

const share = (part: number, whole: number): string =>
  whole === 0 ? "" : ` (${((100 * part) / whole).toPrecision(2)} %)`;

function zeroFacts(term: Term, at: (value: NumberExpression) => number): readonly string[] {
  const zeros = zeroStructure(term);
  const area = at(term.rows) * at(term.columns);
  switch (zeros.kind) {
    case "dense":
      return [];
    case "masked":
    case "sparse":
      return [`${printCount(at(zeros.count))} nonzeros${share(at(zeros.count), area)}`];
    case "nm":
      return [`${zeros.n}:${zeros.m} along the ${zeros.axis}`];
    case "block":
      return [
        `blocks ${zeros.height} x ${zeros.width}, ${printCount(at(zeros.count))} nonzeros${share(at(zeros.count), area)}`,
      ];
  }
}

function picture(term: Term, at: (value: NumberExpression) => number): StructurePicture {
  const zeros = zeroStructure(term);
  const area = Math.max(1, at(term.rows) * at(term.columns));
  if (zeros.kind === "masked" || zeros.kind === "sparse")
    return { kind: "unstructured", density: at(zeros.count) / area };
  if (zeros.kind === "nm") return zeros;
  if (zeros.kind === "block") return { ...zeros, density: at(zeros.count) / area };
  if (term.kind === "leaf" && term.tensor.structure === "blockdiag" && term.tensor.blocks !== null)
    return { kind: "blockdiag", blocks: at(term.tensor.blocks) };
  if (term.kind === "permutation") return { kind: "stride", stride: at(term.stride), size: at(term.rows) };
  if (term.kind === "diag" || term.kind === "identity") return { kind: "diagonal" };
  if (term.kind === "scale" || term.kind === "transpose") return picture(term.operand, at);
  const rank = at(rankBound(term));
  return rank < Math.min(at(term.rows), at(term.columns)) ? { kind: "low-rank", rank } : { kind: "dense" };
}

function describe(term: Term, values: SymbolValues): ExplainedStructure {
  const at = (value: NumberExpression): number => evaluateNumber(value, values);
  const rank = at(rankBound(term));
  const drawn = picture(term, at);
  const facts = [
    ...zeroFacts(term, at),
    ...(drawn.kind === "blockdiag" ? [`${drawn.blocks} blocks on the diagonal`] : []),
    ...(drawn.kind === "stride" ? [`stride permutation of ${drawn.size} by ${drawn.stride}`] : []),
    ...(rank < Math.min(at(term.rows), at(term.columns)) ? [`rank <= ${rank}`] : []),
  ];
  return {
    term: printTerm(term),
    facts: facts.length > 0 ? facts : ["dense"],
    trained: isTrainable(term),
    picture: drawn,
  };
}

/** Factors of a chain that have a pattern of their own, such as permutations and block-diagonal ones. */
function structuredFactors(term: Term): readonly Term[] {
  if (term.kind === "scale") return structuredFactors(term.operand);
  if (term.kind !== "chain") return [];
  return term.factors.filter((factor) => {
    const leaf = factor.kind === "transpose" ? childrenOf(factor)[0] : factor;
    return factor.kind === "permutation" || (leaf?.kind === "leaf" && leaf.tensor.structure !== "dense");
  });
}

/** The summands of a weight in normal form, and what stands in their products with a pattern of its own. */
export function explainStructure(root: Term, values: SymbolValues): readonly ExplainedStructure[] {
  const summands = root.kind === "sum" ? root.terms : [root];
  return summands.flatMap((term) => [term, ...structuredFactors(term)].map((part) => describe(part, values)));
}
