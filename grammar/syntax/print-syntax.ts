/**
 * Syntax tree → canonical text: the formatter. Ensures that the text parses to the same tree again and that printing
 * that tree gives the same text. Requires a tree without `broken` nodes; one with them prints `<broken>` there.
 */
import {
  group,
  indent,
  type Layout,
  lineEnd,
  nothingOrBreak,
  render,
  spaceOrBreak,
  whenBroken,
} from "./layout.ts";
import { argumentsLayout, expressionLayout, summationLayout, typeLayout } from "./print-expression.ts";
import type {
  DeclarationSyntax,
  ExpressionSyntax,
  ImportSyntax,
  ModuleSyntax,
  ParameterSyntax,
  RuleSyntax,
  StatementSyntax,
  Trivia,
} from "./syntax-tree.ts";

const lineWidth = 100;
/** Wider heads do not take part in alignment, so that one long line does not push its neighbours apart. */
const widestAligned = { statement: 32, rule: 64 } as const;

const commentLine = (text: string): string => (text === "\n" ? "" : text === "" ? "//" : `// ${text}`);
const documentationLine = (text: string): string => (text === "" ? "///" : `/// ${text}`);

const leadingLines = (trivia: Trivia): string[] => [
  ...trivia.comments.map(commentLine),
  ...trivia.documentation.map(documentationLine),
];

/** A parameter; `comma` follows it before the comment on its line. */
function parameterLayout(parameter: ParameterSyntax, comma: Layout): Layout {
  const { trivia } = parameter;
  const leading =
    trivia === undefined ? [] : leadingLines(trivia).flatMap((line): Layout[] => [line, lineEnd]);
  const value: Layout =
    parameter.defaultValue === null ? "" : [" = ", expressionLayout(parameter.defaultValue)];
  const after = trivia?.after ?? null;
  return [
    ...leading,
    `${parameter.name.name}: `,
    typeLayout(parameter.type),
    value,
    comma,
    after === null ? "" : `  ${commentLine(after)}`,
  ];
}

const hasComment = ({ trivia }: ParameterSyntax): boolean =>
  trivia !== undefined && (trivia.after !== null || leadingLines(trivia).length > 0);

function parametersLayout(parameters: readonly ParameterSyntax[]): Layout {
  if (parameters.length === 0) return "()";
  const last = parameters.length - 1;
  const separator: Layout = parameters.some(hasComment) ? lineEnd : spaceOrBreak;
  const entries = parameters.flatMap((parameter, index): Layout[] => [
    ...(index === 0 ? [] : [separator]),
    parameterLayout(parameter, index === last ? whenBroken(",") : ","),
  ]);
  const edge: Layout = parameters.some(hasComment) ? lineEnd : nothingOrBreak;
  return group("(", indent(edge, ...entries), edge, ")");
}

type Refresh = StatementSyntax & { readonly kind: "refresh" };
type Pattern = StatementSyntax & { readonly kind: "mask" };
type Aligned = StatementSyntax & { readonly kind: "mask" | "param" | "frozen" | "schedule" };

const isAligned = (statement: StatementSyntax): statement is Aligned =>
  ["mask", "param", "frozen", "schedule"].includes(statement.kind);

function keywordOf(statement: Aligned): string {
  if (statement.kind === "mask" && statement.pattern.name === "support") return "support";
  return "shared" in statement && statement.shared ? `shared ${statement.kind}` : statement.kind;
}

/** What stands between the name and `=`. */
function typeOf(statement: Aligned): Layout {
  if (statement.kind !== "mask") return [": ", typeLayout(statement.type)];
  const { count, index, mode, pattern } = statement satisfies Pattern;
  const range: Layout = index === null ? "" : `${index.name} < `;
  const family: Layout = count === null ? "" : ["[", range, summationLayout(count), "]"];
  if (pattern.name === "support") return family;
  return [family, ": ", mode === null ? "" : `${mode} `, typeLayout(pattern)];
}

const flat = (layout: Layout): string => render(layout, Number.POSITIVE_INFINITY, 0, 0);

interface Columns {
  readonly name: number;
  readonly sign: number;
}

/** Columns of a run of neighbouring statements that declare tensors, patterns or schedules. */
function columnsOf(run: readonly Aligned[]): Columns {
  const name = Math.max(...run.map((statement) => keywordOf(statement).length));
  const widths = run
    .filter((statement) => statement.value !== null)
    .map((statement) => name + 1 + statement.name.name.length + flat(typeOf(statement)).length)
    .filter((width) => width <= widestAligned.statement);
  return { name, sign: Math.max(0, ...widths) };
}

function alignedLayout(statement: Aligned, columns: Columns): Layout {
  const head: Layout = [
    `${keywordOf(statement).padEnd(columns.name)} ${statement.name.name}`,
    typeOf(statement),
  ];
  if (statement.value === null) return head;
  const width = flat(head).length;
  const padding = " ".repeat(Math.max(0, columns.sign - width));
  return [head, padding, " = ", expressionLayout(statement.value)];
}

const valueLayout = (value: ExpressionSyntax | null): Layout =>
  value === null ? "" : [" = ", expressionLayout(value)];

const refreshLayout = ({ name, every, condition, value }: Refresh): Layout => [
  `refresh ${name.name} every `,
  summationLayout(every),
  condition === null ? "" : [" while ", expressionLayout(condition)],
  valueLayout(value),
];

function statementLayout(statement: Exclude<StatementSyntax, Aligned>): Layout {
  switch (statement.kind) {
    case "require":
      return ["require ", expressionLayout(statement.condition)];
    case "let":
      return [`let ${statement.name.name} = `, expressionLayout(statement.value)];
    case "phase":
      return [`phase ${statement.name.name} = `, expressionLayout(statement.value)];
    case "refresh":
      return refreshLayout(statement);
    case "pin":
      return [
        `pin ${statement.claim}`,
        statement.subject === null ? "" : [" ", summationLayout(statement.subject)],
        valueLayout(statement.value),
      ];
    case "init":
      return [
        `init ${statement.names.map(({ name }) => name).join(", ")} = `,
        expressionLayout(statement.value),
      ];
    case "weight":
      return ["weight = ", expressionLayout(statement.value)];
  }
}

/** The lines of a node at `depth`, its comments around them. */
function withTrivia(layout: Layout, trivia: Trivia, depth: number): string[] {
  const lines = render(layout, lineWidth, depth)
    .split("\n")
    .map((line, index) => (index === 0 ? line : line.slice(depth * 2)));
  const after = trivia.after === null ? "" : `  ${commentLine(trivia.after)}`;
  return [...leadingLines(trivia), ...lines.slice(0, -1), `${lines.at(-1) ?? ""}${after}`];
}

/** Consecutive nodes of one kind with no blank line or comment between them. */
function runsOf<Node extends { readonly trivia: Trivia }>(
  nodes: readonly Node[],
  belongs: (node: Node) => boolean,
): Node[][] {
  const runs: Node[][] = [];
  for (const node of nodes) {
    const run = runs.at(-1);
    const previous = run?.at(-1);
    const joins = previous !== undefined && belongs(previous) && belongs(node);
    if (joins && !node.trivia.blankBefore && leadingLines(node.trivia).length === 0) run?.push(node);
    else runs.push([node]);
  }
  return runs;
}

function statementLines(statements: readonly StatementSyntax[]): string[] {
  return runsOf(statements, isAligned).flatMap((run, runIndex) => {
    const columns = columnsOf(run.filter(isAligned));
    return run.flatMap((statement, index) => {
      const layout = isAligned(statement) ? alignedLayout(statement, columns) : statementLayout(statement);
      const blank = statement.trivia.blankBefore && runIndex + index > 0 ? [""] : [];
      return [...blank, ...withTrivia(layout, statement.trivia, 1)];
    });
  });
}

type Use = RuleSyntax & { readonly kind: "use" };

function ruleHead(rule: Use): string {
  const exceptions = rule.exceptions.map(({ text }) => `"${text}"`).join(", ");
  return `for "${rule.pattern.text}"${exceptions === "" ? "" : ` except ${exceptions}`}`;
}

function ruleLines(rules: readonly RuleSyntax[]): string[] {
  return runsOf(rules, ({ kind }) => kind === "use").flatMap((run, runIndex) => {
    const heads = run.map((rule) => (rule.kind === "use" ? ruleHead(rule).length : 0));
    const column = Math.max(0, ...heads.filter((width) => width <= widestAligned.rule));
    return run.flatMap((rule, index) => {
      const blank = rule.trivia.blankBefore && runIndex + index > 0 ? [""] : [];
      const layout: Layout =
        rule.kind === "freeze"
          ? `freeze "${rule.pattern.text}"`
          : [
              `${ruleHead(rule).padEnd(column)} use ${rule.transform.name}`,
              rule.arguments.length === 0 ? "" : argumentsLayout(rule.arguments),
            ];
      return [...blank, ...withTrivia(layout, rule.trivia, 1)];
    });
  });
}

/** `{ lines }`; empty braces stay on their line. */
function blockLayout(lines: readonly string[], trailing: readonly string[]): Layout {
  const all = [...lines, ...trailing.map(commentLine)];
  if (all.length === 0) return "{}";
  return ["{", indent(...all.flatMap((line): Layout[] => [lineEnd, line])), lineEnd, "}"];
}

function declarationLayout(declaration: DeclarationSyntax): Layout {
  const { name } = declaration.name;
  switch (declaration.kind) {
    case "transform":
      return [
        `transform ${name}`,
        parametersLayout(declaration.parameters),
        " ",
        blockLayout(statementLines(declaration.statements), declaration.trailingComments ?? []),
      ];
    case "function":
      return [
        `function ${name}`,
        parametersLayout(declaration.parameters),
        " = ",
        expressionLayout(declaration.body),
      ];
    case "intrinsic":
      return [
        `intrinsic ${name}`,
        parametersLayout(declaration.parameters),
        " -> ",
        typeLayout(declaration.result),
      ];
    case "model":
      return [
        `model ${name} `,
        blockLayout(ruleLines(declaration.rules), declaration.trailingComments ?? []),
      ];
  }
}

function importLayout(declaration: ImportSyntax): Layout {
  const names = declaration.names.map(({ imported, local }) =>
    imported.name === local.name ? imported.name : `${imported.name} as ${local.name}`,
  );
  return ["import ", bracedNames(names), ` from "${declaration.from.value}"`];
}

const bracedNames = (names: readonly string[]): Layout => {
  const separated = names.flatMap((name, index): Layout[] =>
    index === 0 ? [name] : [",", spaceOrBreak, name],
  );
  return group("{", indent(spaceOrBreak, ...separated), whenBroken(","), spaceOrBreak, "}");
};

const isBlock = (node: ImportSyntax | DeclarationSyntax): boolean =>
  node.kind === "transform" || node.kind === "model";

/** The text of `tree` in canonical form, ending in a line end; empty for an empty file. */
export function printSyntax(tree: ModuleSyntax): string {
  const nodes = [...tree.imports, ...tree.declarations];
  const lines = nodes.flatMap((node, index) => {
    const previous = nodes[index - 1];
    const layout = node.kind === "import" ? importLayout(node) : declarationLayout(node);
    const apart =
      previous !== undefined &&
      (node.trivia.blankBefore ||
        isBlock(node) ||
        isBlock(previous) ||
        (previous.kind === "import" && node.kind !== "import"));
    return [...(apart ? [""] : []), ...withTrivia(layout, node.trivia, 0)];
  });
  const trailing = tree.trailingComments.map(commentLine);
  if (trailing.length > 0 && lines.length > 0) lines.push("");
  lines.push(...trailing);
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}
