// size: one arbitrary for every node of the tree.
/** Random syntax trees in the form that the parser gives them. */
import fc from "fast-check";
import { isReservedWord, keywords } from "../../grammar/parser/keywords.ts";
import {
  type ArgumentSyntax,
  type BinarySyntaxOperator,
  type DeclarationSyntax,
  type ExpressionSyntax,
  type Identifier,
  type ImportSyntax,
  type ModuleSyntax,
  maskModes,
  type ParameterSyntax,
  pinKinds,
  quantizedFormats,
  type RuleSyntax,
  type StatementSyntax,
  type Trivia,
  type TypeSyntax,
} from "../../grammar/syntax/syntax-tree.ts";

const span = { file: "generated.spx", start: 0, end: 0 };
const contextualWords = keywords.filter(({ reserved }) => !reserved).map(({ word }) => word);

const word = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.constantFrom(
      "W",
      "A",
      "B",
      "M",
      "in",
      "out",
      "r",
      "alpha",
      "nnz",
      "T",
      "long_name_of_a_factor",
    ),
  },
  {
    weight: 2,
    arbitrary: fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,12}$/).filter((name) => !isReservedWord(name)),
  },
  // Words that mean something elsewhere are names too.
  { weight: 1, arbitrary: fc.constantFrom(...contextualWords) },
);
const identifier = word.map((name): Identifier => ({ name, span }));
const numberText = fc.constantFrom("0", "1", "4", "16", "0.5", "0.02", "1e-4", "2.5e+3", "1024");

const operators: readonly BinarySyntaxOperator[] = [
  "or",
  "and",
  "==",
  "!=",
  "<",
  "<=",
  ">",
  ">=",
  "+",
  "-",
  "*",
  "/",
  "%",
  "@",
  ".*",
  "./",
];

const expressions = fc.letrec<{ expression: ExpressionSyntax }>((tie) => {
  const inner = tie("expression");
  const argument = fc.record({ name: fc.option(identifier), value: inner, span: fc.constant(span) });
  const operatorSpan = fc.constant(span);
  const at = fc.constant(span);
  return {
    expression: fc.oneof(
      { maxDepth: 5, depthSize: "small" },
      numberText.map((text): ExpressionSyntax => ({ kind: "number", value: Number(text), text, span })),
      word.map((name): ExpressionSyntax => ({ kind: "name", name, span })),
      fc.record({
        kind: fc.constant("binary" as const),
        operator: fc.constantFrom(...operators),
        operatorSpan,
        left: inner,
        right: inner,
        span: at,
      }),
      fc.record({
        kind: fc.constant("call" as const),
        callee: identifier,
        arguments: fc.array(argument, { maxLength: 4 }),
        span: at,
      }),
      fc.record({
        kind: fc.constant("unary" as const),
        operator: fc.constantFrom("-" as const, "not" as const),
        operand: inner,
        span: at,
      }),
      fc.record({ kind: fc.constant("transpose" as const), operand: inner, span: at }),
      fc.record({ kind: fc.constant("index" as const), target: inner, index: inner, span: at }),
      fc.record({
        kind: fc.constantFrom("sum" as const, "product" as const),
        variable: identifier,
        count: inner,
        term: inner,
        span: at,
      }),
    ),
  };
});

export const expression: fc.Arbitrary<ExpressionSyntax> = expressions.expression;

const commentText = fc.constantFrom("", "note", "  indented", "α · β", "/ odd", '"quoted" { ( [');
/** Blank lines never come first or twice in a row. */
const commentLines = fc
  .array(fc.oneof({ weight: 3, arbitrary: commentText }, { weight: 1, arbitrary: fc.constant("\n") }), {
    maxLength: 4,
  })
  .map((lines) => lines.filter((line, index) => line !== "\n" || (index > 0 && lines[index - 1] !== "\n")));

const trivia = (blankBefore: fc.Arbitrary<boolean>): fc.Arbitrary<Trivia> =>
  fc.record({
    documentation: fc.oneof(
      { weight: 3, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.array(commentText, { maxLength: 2 }) },
    ),
    comments: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: commentLines }),
    blankBefore,
    after: fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: commentText }),
  });

const trailingComments = fc.oneof(
  { weight: 4, arbitrary: fc.constant([]) },
  {
    weight: 1,
    arbitrary: commentLines.map((lines) =>
      lines.filter((line, index) => line !== "\n" || index < lines.length - 1),
    ),
  },
);

const sizes = fc.array(expression, { minLength: 1, maxLength: 3 });
const numberType = fc.record({
  kind: fc.constant("number-type" as const),
  name: fc.constantFrom("int" as const, "real" as const, "ratio" as const, "bool" as const),
  isConst: fc.boolean(),
  span: fc.constant(span),
});
const quantizedType = fc
  .record({ format: fc.constantFrom(...quantizedFormats), block: fc.option(expression) })
  .map(({ format, block }) => ({ format, block: format === "bf16" ? null : block }));
const tensorType = fc
  .record({
    frozen: fc.boolean(),
    structure: fc.constantFrom("dense" as const, "sparse" as const, "blockdiag" as const, "diag" as const),
    dimensions: sizes,
    support: fc.option(expression, { freq: 3 }),
    blocks: fc.option(expression, { freq: 3 }),
    quantized: fc.option(quantizedType, { freq: 3 }),
  })
  .map((type) => ({
    kind: "tensor-type" as const,
    ...type,
    structure: type.quantized === null ? type.structure : ("dense" as const),
    span,
  }));
const maskPattern = fc
  .record({
    name: fc.constantFrom("unstructured" as const, "nm" as const, "block" as const),
    arguments: sizes,
    along: fc.option(identifier),
  })
  .map((pattern): TypeSyntax & { kind: "pattern-type" } => ({
    kind: "pattern-type",
    ...pattern,
    arguments: pattern.name === "unstructured" ? [] : pattern.arguments,
    span,
  }));
const supportPattern = { kind: "pattern-type", name: "support", arguments: [], along: null, span } as const;
const type: fc.Arbitrary<TypeSyntax> = fc.oneof(
  numberType,
  fc.constant({ kind: "pool-type", span } as const),
  tensorType,
  maskPattern,
  fc.constant(supportPattern),
);

const parameter: fc.Arbitrary<ParameterSyntax> = fc.record({
  name: identifier,
  type,
  defaultValue: fc.option(expression),
  trivia: trivia(fc.constant(false)),
  span: fc.constant(span),
});
const parameters = fc.array(parameter, { maxLength: 5 });

const statementTrivia = trivia(fc.boolean());
const at = fc.constant(span);
const family = fc.oneof(
  fc.constant({ count: null, index: null }),
  fc.record({ count: expression, index: fc.option(identifier) }),
);
const patternStatement: fc.Arbitrary<StatementSyntax> = fc
  .record({
    name: identifier,
    family,
    kind: fc.oneof(
      fc.record({ mode: fc.option(fc.constantFrom(...maskModes)), pattern: maskPattern }),
      fc.constant({ mode: null, pattern: supportPattern }),
    ),
    value: expression,
    trivia: statementTrivia,
  })
  .map(({ name, family, kind, value, trivia }) => ({
    kind: "mask",
    name,
    ...family,
    ...kind,
    value,
    trivia,
    span,
  }));
const pinnedValue = fc.oneof(
  word.map((name): ExpressionSyntax => ({ kind: "name", name, span })),
  numberText.map((text): ExpressionSyntax => ({ kind: "number", value: Number(text), text, span })),
);
const pinStatement: fc.Arbitrary<StatementSyntax> = fc
  .record({
    claim: fc.constantFrom(...pinKinds),
    subject: expression,
    value: pinnedValue,
    trivia: statementTrivia,
  })
  .map(({ claim, subject, value, trivia }) => ({
    kind: "pin",
    claim,
    subject: claim === "layout" || claim === "tile" ? null : subject,
    value: claim === "merge" || claim === "separate" ? null : value,
    trivia,
    span,
  }));
const statement: fc.Arbitrary<StatementSyntax> = fc.oneof(
  fc.record({
    kind: fc.constant("require" as const),
    condition: expression,
    trivia: statementTrivia,
    span: at,
  }),
  fc.record({
    kind: fc.constant("let" as const),
    name: identifier,
    value: expression,
    trivia: statementTrivia,
    span: at,
  }),
  patternStatement,
  fc.record({
    kind: fc.constant("frozen" as const),
    shared: fc.boolean(),
    name: identifier,
    type: tensorType,
    value: expression,
    trivia: statementTrivia,
    span: at,
  }),
  fc.record({
    kind: fc.constant("schedule" as const),
    name: identifier,
    type: numberType,
    value: expression,
    trivia: statementTrivia,
    span: at,
  }),
  fc.record({
    kind: fc.constant("phase" as const),
    name: identifier,
    value: expression,
    trivia: statementTrivia,
    span: at,
  }),
  fc.record({
    kind: fc.constant("refresh" as const),
    name: identifier,
    every: expression,
    condition: fc.option(expression),
    value: fc.option(expression),
    trivia: statementTrivia,
    span: at,
  }),
  pinStatement,
  fc.record({
    kind: fc.constant("param" as const),
    shared: fc.boolean(),
    name: identifier,
    type: tensorType,
    value: fc.option(expression),
    trivia: statementTrivia,
    span: at,
  }),
  fc.record({
    kind: fc.constant("init" as const),
    names: fc.array(identifier, { minLength: 1, maxLength: 3 }),
    value: expression,
    trivia: statementTrivia,
    span: at,
  }),
  fc.record({ kind: fc.constant("weight" as const), value: expression, trivia: statementTrivia, span: at }),
);

const glob = fc
  .constantFrom("**", "a.*.weight", "encoder.layer.*.{query,value}.weight", "lm_head", "layers.[0-9].w?")
  .map((text) => ({ text, span }));
const argument: fc.Arbitrary<ArgumentSyntax> = fc.record({
  name: fc.option(identifier),
  value: expression,
  span: at,
});
const rule: fc.Arbitrary<RuleSyntax> = fc.oneof(
  fc.record({
    kind: fc.constant("use" as const),
    pattern: glob,
    exceptions: fc.array(glob, { maxLength: 2 }),
    transform: identifier,
    arguments: fc.array(argument, { maxLength: 3 }),
    trivia: statementTrivia,
    span: at,
  }),
  fc.record({ kind: fc.constant("freeze" as const), pattern: glob, trivia: statementTrivia, span: at }),
);

/** The first entry of a block has no blank line before it. */
const firstInBlock = <Node extends { readonly trivia: Trivia }>(nodes: readonly Node[]): Node[] =>
  nodes.map((node, index) =>
    index === 0 ? { ...node, trivia: { ...node.trivia, blankBefore: false } } : node,
  );

const declaration: fc.Arbitrary<DeclarationSyntax> = fc.oneof(
  fc.record({
    kind: fc.constant("transform" as const),
    name: identifier,
    parameters,
    statements: fc.array(statement, { maxLength: 6 }).map(firstInBlock),
    trailingComments,
    trivia: statementTrivia,
    span: at,
  }),
  fc.record({
    kind: fc.constant("function" as const),
    name: identifier,
    parameters,
    body: expression,
    trivia: statementTrivia,
    span: at,
  }),
  fc.record({
    kind: fc.constant("intrinsic" as const),
    name: identifier,
    parameters,
    result: type,
    trivia: statementTrivia,
    span: at,
  }),
  fc.record({
    kind: fc.constant("model" as const),
    name: identifier,
    rules: fc.array(rule, { maxLength: 4 }).map(firstInBlock),
    trailingComments,
    trivia: statementTrivia,
    span: at,
  }),
);

const importDeclaration: fc.Arbitrary<ImportSyntax> = fc.record({
  kind: fc.constant("import" as const),
  names: fc.array(fc.record({ imported: identifier, local: identifier }), { minLength: 1, maxLength: 6 }),
  from: fc.constantFrom("std/select", "./local").map((value) => ({ value, span })),
  trivia: statementTrivia,
  span: at,
});

export const moduleTree: fc.Arbitrary<ModuleSyntax> = fc
  .record({
    imports: fc.array(importDeclaration, { maxLength: 3 }),
    declarations: fc.array(declaration, { maxLength: 3 }),
    trailingComments,
  })
  .map((module) => ({ file: "generated.spx", ...module, span }));
