/**
 * What the grammar reads and the language refuses: comparisons in a row, `=` for `==`, `.*` beside `@` without
 * parentheses. Judged on whole chains of operators, so that a message can show what to write.
 */
import { isEntrywise } from "../syntax/operators.ts";
import type { BinarySyntaxOperator, ExpressionSyntax } from "../syntax/syntax-tree.ts";
import { joinSpans, type Span } from "../text/source-text.ts";
import type { Building } from "./syntax-nodes.ts";
import { advise, propose, replace, syntaxError } from "./syntax-problems.ts";

/** Operands and the operators between them, of one level, as written. */
export interface Chain {
  readonly operands: readonly ExpressionSyntax[];
  readonly operators: readonly { readonly text: string; readonly span: Span }[];
}

export const textOf = (building: Building, span: Span): string =>
  building.source.text.slice(span.start, span.end);

function refuseComparisonChain(building: Building, chain: Chain): void {
  const [first, second, third] = chain.operands;
  const [one, two] = chain.operators;
  if (
    first === undefined ||
    second === undefined ||
    third === undefined ||
    one === undefined ||
    two === undefined
  )
    return;
  const middle = textOf(building, second.span);
  const after = { ...second.span, start: second.span.end };
  building.diagnostics.push(
    syntaxError("comparisonChain", {
      message: "comparisons cannot stand in a row",
      span: two.span,
      label: "second comparison",
      secondary: [{ span: one.span, text: "first comparison" }],
      help: [
        advise(
          `write \`${textOf(building, joinSpans(first.span, second.span))} and ${middle} ${textOf(building, joinSpans(two.span, third.span))}\``,
          replace(after, ` and ${middle}`),
        ),
      ],
    }),
  );
}

const startsLine = (building: Building, span: Span): boolean =>
  /(^|\n)\s*$/.test(building.source.text.slice(Math.max(0, span.start - 200), span.start));

function refuseBareDefinition(building: Building, span: Span): void {
  building.diagnostics.push(
    syntaxError("statementForm", {
      message: "no statement begins with `=`",
      span,
      label: "expected a keyword before it",
      facts: { found: "=" },
      help: [
        propose(
          "write `weight = …`, or `let` and a name before the sign",
          replace({ ...span, end: span.start }, "weight "),
        ),
      ],
    }),
  );
}

/** `=` in a condition; `buildArgument` takes the complaint back where a name was meant for an argument. */
export function judgeComparison(building: Building, chain: Chain): void {
  const [sign, second] = chain.operators;
  if (sign === undefined) return;
  if (second !== undefined) {
    refuseComparisonChain(building, chain);
    return;
  }
  if (sign.text !== "=") return;
  if (startsLine(building, sign.span)) {
    refuseBareDefinition(building, sign.span);
    return;
  }
  building.diagnostics.push(
    syntaxError("comparisonSign", {
      message: "`==` compares, not `=`",
      span: sign.span,
      label: "expected `==`",
      facts: { expected: "==", found: "=" },
      help: [advise("write `==`", replace(sign.span, "=="))],
    }),
  );
}

type IsOperator = (operator: BinarySyntaxOperator) => boolean;
const isMatrixProduct: IsOperator = (operator) => operator === "@";

/** The parts of a chain between its `outer` operators that hold an `inner` one. */
function partsHolding(
  inner: IsOperator,
  outer: IsOperator,
  chain: Chain,
  signs: readonly BinarySyntaxOperator[],
): Span[] {
  const spans: Span[] = [];
  let from = 0;
  for (let index = 0; index <= signs.length; index += 1) {
    const sign = signs[index];
    if (sign !== undefined && !outer(sign)) continue;
    const first = chain.operands[from];
    const last = chain.operands[index];
    if (signs.slice(from, index).some(inner) && first && last) spans.push(joinSpans(first.span, last.span));
    from = index + 1;
  }
  return spans;
}

export function judgeProduct(building: Building, chain: Chain, signs: readonly BinarySyntaxOperator[]): void {
  const entrywise = signs.findIndex(isEntrywise);
  const matrix = signs.findIndex(isMatrixProduct);
  const [entrywiseSign, matrixSign] = [chain.operators[entrywise], chain.operators[matrix]];
  const [first, last] = [chain.operands[0], chain.operands.at(-1)];
  if (!entrywiseSign || !matrixSign || !first || !last || chain.operands.length !== signs.length + 1) return;
  const whole = joinSpans(first.span, last.span);
  const grouping = (spans: readonly Span[]) => {
    const edits = spans.flatMap((span) => [
      replace({ ...span, end: span.start }, "("),
      replace({ ...span, start: span.end }, ")"),
    ]);
    const text = [...edits].reverse().reduce(
      (written, edit) => {
        const at = edit.span.start - whole.start;
        return written.slice(0, at) + edit.replacement + written.slice(at);
      },
      textOf(building, whole),
    );
    return propose(`write \`${text}\``, ...edits);
  };
  const sign = signs[entrywise] ?? ".*";
  const labels = [
    { span: entrywiseSign.span, text: sign === ".*" ? "Hadamard product here" : "quotient by entries here" },
    { span: matrixSign.span, text: "matrix product here" },
  ].sort((one, other) => other.span.start - one.span.start);
  building.diagnostics.push(
    syntaxError("mixedProducts", {
      message: `\`${sign}\` and \`@\` in one product need parentheses`,
      span: labels[0]?.span ?? matrixSign.span,
      label: labels[0]?.text ?? "",
      secondary: labels.slice(1),
      help: [
        grouping(partsHolding(isMatrixProduct, isEntrywise, chain, signs)),
        grouping(partsHolding(isEntrywise, isMatrixProduct, chain, signs)),
      ],
    }),
  );
}
