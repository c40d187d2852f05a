/**
 * Grammar rules of expressions, loosest operators first. Comparison chains and mixed products are read here and
 * judged while the tree is built, so that their messages can show what to write.
 */
import { type CstNode, CstParser, type IToken, type TokenType } from "./chevrotain-library.ts";
import {
  Colon,
  Comma,
  ComparisonOperator,
  Identifier,
  LeftBracket,
  LeftParenthesis,
  Less,
  Minus,
  NumberLiteral,
  ProductOperator,
  RightBracket,
  RightParenthesis,
  SumOperator,
  Transpose,
  wordToken,
} from "./tokens.ts";

export type Rule = (index?: number) => CstNode;

export class ExpressionRules extends CstParser {
  /** True when a comma is followed by what ends a list, so that the comma is a trailing one. */
  protected atTrailingComma(closer: TokenType): boolean {
    const next: IToken = this.LA(2);
    return next.tokenType === closer;
  }

  readonly expression = this.RULE("expression", () => {
    this.SUBRULE(this.conjunction, { LABEL: "operand" });
    this.MANY(() => {
      this.CONSUME(wordToken("or"), { LABEL: "operator" });
      this.SUBRULE2(this.conjunction, { LABEL: "operand" });
    });
  });

  readonly conjunction: Rule = this.RULE("conjunction", () => {
    this.SUBRULE(this.negation, { LABEL: "operand" });
    this.MANY(() => {
      this.CONSUME(wordToken("and"), { LABEL: "operator" });
      this.SUBRULE2(this.negation, { LABEL: "operand" });
    });
  });

  readonly negation: Rule = this.RULE("negation", () => {
    this.MANY(() => this.CONSUME(wordToken("not"), { LABEL: "operator" }));
    this.SUBRULE(this.comparison, { LABEL: "operand" });
  });

  readonly comparison: Rule = this.RULE("comparison", () => {
    this.SUBRULE(this.summation, { LABEL: "operand" });
    this.MANY(() => {
      this.CONSUME(ComparisonOperator, { LABEL: "operator" });
      this.SUBRULE2(this.summation, { LABEL: "operand" });
    });
  });

  readonly summation: Rule = this.RULE("summation", () => {
    this.SUBRULE(this.product, { LABEL: "operand" });
    this.MANY(() => {
      this.CONSUME(SumOperator, { LABEL: "operator" });
      this.SUBRULE2(this.product, { LABEL: "operand" });
    });
  });

  readonly product: Rule = this.RULE("product", () => {
    this.SUBRULE(this.signed, { LABEL: "operand" });
    this.MANY(() => {
      this.CONSUME(ProductOperator, { LABEL: "operator" });
      this.SUBRULE2(this.signed, { LABEL: "operand" });
    });
  });

  readonly signed: Rule = this.RULE("signed", () => {
    this.MANY(() => this.CONSUME(Minus, { LABEL: "operator" }));
    this.SUBRULE(this.postfix, { LABEL: "operand" });
  });

  readonly postfix: Rule = this.RULE("postfix", () => {
    this.SUBRULE(this.primary);
    this.MANY(() =>
      this.OR([{ ALT: () => this.CONSUME(Transpose) }, { ALT: () => this.SUBRULE(this.slice) }]),
    );
  });

  readonly slice: Rule = this.RULE("slice", () => {
    this.CONSUME(LeftBracket);
    this.SUBRULE(this.expression);
    this.CONSUME(RightBracket);
  });

  readonly primary: Rule = this.RULE("primary", () => {
    this.OR([
      { ALT: () => this.CONSUME(NumberLiteral) },
      { ALT: () => this.SUBRULE(this.series) },
      { ALT: () => this.SUBRULE(this.nameOrCall) },
      { ALT: () => this.SUBRULE(this.parenthesized) },
    ]);
  });

  readonly nameOrCall: Rule = this.RULE("nameOrCall", () => {
    this.CONSUME(Identifier);
    this.OPTION(() => this.SUBRULE(this.argumentList));
  });

  readonly parenthesized: Rule = this.RULE("parenthesized", () => {
    this.CONSUME(LeftParenthesis);
    this.SUBRULE(this.expression);
    this.CONSUME(RightParenthesis);
  });

  /** `M`, `E or F`, `not E and F`: connectives without comparisons, so that an `=` behind is never read as one. */
  readonly positions: Rule = this.RULE("positions", () => {
    this.SUBRULE(this.intersection, { LABEL: "operand" });
    this.MANY(() => {
      this.CONSUME(wordToken("or"), { LABEL: "operator" });
      this.SUBRULE2(this.intersection, { LABEL: "operand" });
    });
  });

  readonly intersection: Rule = this.RULE("intersection", () => {
    this.SUBRULE(this.complement, { LABEL: "operand" });
    this.MANY(() => {
      this.CONSUME(wordToken("and"), { LABEL: "operator" });
      this.SUBRULE2(this.complement, { LABEL: "operand" });
    });
  });

  readonly complement: Rule = this.RULE("complement", () => {
    this.MANY(() => this.CONSUME(wordToken("not"), { LABEL: "operator" }));
    this.SUBRULE(this.summation, { LABEL: "operand" });
  });

  /** `sum(i < n, term)`, `product(i < n, factor)` */
  readonly series: Rule = this.RULE("series", () => {
    this.OR([
      { ALT: () => this.CONSUME(wordToken("sum"), { LABEL: "operator" }) },
      { ALT: () => this.CONSUME(wordToken("product"), { LABEL: "operator" }) },
    ]);
    this.CONSUME(LeftParenthesis);
    this.CONSUME(Identifier);
    this.CONSUME(Less);
    this.SUBRULE(this.summation);
    this.CONSUME(Comma);
    this.SUBRULE(this.expression);
    this.OPTION(() => this.CONSUME2(Comma));
    this.CONSUME(RightParenthesis);
  });

  readonly argumentList: Rule = this.RULE("argumentList", () => {
    this.CONSUME(LeftParenthesis);
    this.OPTION(() => {
      this.SUBRULE(this.argument);
      this.MANY({
        MAX_LOOKAHEAD: 1,
        GATE: () => !this.atTrailingComma(RightParenthesis),
        DEF: () => {
          this.CONSUME(Comma);
          this.SUBRULE2(this.argument);
        },
      });
      this.OPTION2(() => this.CONSUME2(Comma));
    });
    this.CONSUME(RightParenthesis);
  });

  readonly argument: Rule = this.RULE("argument", () => {
    this.OPTION(() => {
      this.CONSUME(Identifier);
      this.CONSUME(Colon);
    });
    // `pool: model`: the one place where the word is a value; it begins a declaration everywhere else.
    this.OR([{ ALT: () => this.CONSUME(wordToken("model")) }, { ALT: () => this.SUBRULE(this.expression) }]);
  });
}
