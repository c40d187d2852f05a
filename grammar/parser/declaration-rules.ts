/** Grammar rules of files, declarations and the rules of models, on top of the rules of statements. */
import type { Rule } from "./expression-rules.ts";
import { StatementRules } from "./statement-rules.ts";
import {
  Arrow,
  Colon,
  Comma,
  DefinitionSign,
  Identifier,
  LeftBrace,
  LeftParenthesis,
  RightBrace,
  RightParenthesis,
  StringLiteral,
  wordToken,
} from "./tokens.ts";

export class DeclarationRules extends StatementRules {
  readonly file = this.RULE("file", () => {
    this.MANY(() =>
      this.OR([
        { ALT: () => this.SUBRULE(this.importDeclaration) },
        { ALT: () => this.SUBRULE(this.transformDeclaration) },
        { ALT: () => this.SUBRULE(this.functionDeclaration) },
        { ALT: () => this.SUBRULE(this.intrinsicDeclaration) },
        { ALT: () => this.SUBRULE(this.modelDeclaration) },
      ]),
    );
  });

  readonly importDeclaration: Rule = this.RULE("importDeclaration", () => {
    this.CONSUME(wordToken("import"));
    this.CONSUME(LeftBrace);
    this.SUBRULE(this.importedName);
    this.MANY({
      MAX_LOOKAHEAD: 1,
      GATE: () => !this.atTrailingComma(RightBrace),
      DEF: () => {
        this.CONSUME(Comma);
        this.SUBRULE2(this.importedName);
      },
    });
    this.OPTION(() => this.CONSUME2(Comma));
    this.CONSUME(RightBrace);
    this.CONSUME(wordToken("from"));
    this.CONSUME(StringLiteral);
  });

  readonly importedName: Rule = this.RULE("importedName", () => {
    this.CONSUME(Identifier);
    this.OPTION(() => {
      this.CONSUME(wordToken("as"));
      this.CONSUME2(Identifier);
    });
  });

  readonly transformDeclaration: Rule = this.RULE("transformDeclaration", () => {
    this.CONSUME(wordToken("transform"));
    this.CONSUME(Identifier);
    this.SUBRULE(this.parameterList);
    this.CONSUME(LeftBrace);
    this.MANY(() => this.SUBRULE(this.statement));
    this.CONSUME(RightBrace);
  });

  readonly functionDeclaration: Rule = this.RULE("functionDeclaration", () => {
    this.CONSUME(wordToken("function"));
    this.CONSUME(Identifier);
    this.SUBRULE(this.parameterList);
    this.CONSUME(DefinitionSign);
    this.SUBRULE(this.expression);
  });

  readonly intrinsicDeclaration: Rule = this.RULE("intrinsicDeclaration", () => {
    this.CONSUME(wordToken("intrinsic"));
    this.CONSUME(Identifier);
    this.SUBRULE(this.parameterList);
    this.CONSUME(Arrow);
    this.SUBRULE(this.type);
  });

  readonly modelDeclaration: Rule = this.RULE("modelDeclaration", () => {
    this.CONSUME(wordToken("model"));
    this.CONSUME(Identifier);
    this.CONSUME(LeftBrace);
    this.MANY(() =>
      this.OR([{ ALT: () => this.SUBRULE(this.useRule) }, { ALT: () => this.SUBRULE(this.freezeRule) }]),
    );
    this.CONSUME(RightBrace);
  });

  readonly useRule: Rule = this.RULE("useRule", () => {
    this.CONSUME(wordToken("for"));
    this.CONSUME(StringLiteral, { LABEL: "pattern" });
    this.MANY(() => {
      this.CONSUME(wordToken("except"));
      this.CONSUME2(StringLiteral, { LABEL: "exception" });
      this.MANY2(() => {
        this.CONSUME(Comma);
        this.CONSUME3(StringLiteral, { LABEL: "exception" });
      });
    });
    this.CONSUME(wordToken("use"));
    this.CONSUME(Identifier);
    this.OPTION(() => this.SUBRULE(this.argumentList));
  });

  readonly freezeRule: Rule = this.RULE("freezeRule", () => {
    this.CONSUME(wordToken("freeze"));
    this.CONSUME(StringLiteral, { LABEL: "pattern" });
  });

  readonly parameterList: Rule = this.RULE("parameterList", () => {
    this.CONSUME(LeftParenthesis);
    this.OPTION(() => {
      this.SUBRULE(this.parameter);
      this.MANY({
        MAX_LOOKAHEAD: 1,
        GATE: () => !this.atTrailingComma(RightParenthesis),
        DEF: () => {
          this.CONSUME(Comma);
          this.SUBRULE2(this.parameter);
        },
      });
      this.OPTION2(() => this.CONSUME2(Comma));
    });
    this.CONSUME(RightParenthesis);
  });

  readonly parameter: Rule = this.RULE("parameter", () => {
    this.CONSUME(Identifier);
    this.CONSUME(Colon);
    this.SUBRULE(this.type);
    this.OPTION(() => {
      this.CONSUME(DefinitionSign);
      this.SUBRULE(this.expression);
    });
  });
}
