// The part of the POSIX shell grammar that maintainer scripts use (XCU 2.10): simple commands, lists, pipelines, if,
// case, for, while, functions, groups, here-documents, quoting, parameters, command and arithmetic substitution.
// Anything else makes the script "not understood", which is reported.
// https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html

/** Pieces of one word. `quoted` text is not a pattern and is not split. */
export type Part =
  | { readonly kind: 'text'; readonly text: string; readonly quoted: boolean }
  | {
      readonly kind: 'parameter';
      readonly name: string;
      /** '' for `$name`, '#' before a name means its length, else ':-', '%%', … */
      readonly operator: string;
      readonly word: Word;
      readonly quoted: boolean;
    }
  | { readonly kind: 'substitution'; readonly body: Node; readonly quoted: boolean }
  | { readonly kind: 'arithmetic'; readonly expression: Word; readonly quoted: boolean };
export type Word = readonly Part[];

export interface Redirection {
  readonly descriptor: number;
  /** '>', '>>', '<', '>&', '<<', … */
  readonly operator: string;
  readonly target: Word;
  /** Text of a here-document. */
  readonly body?: Word;
}

export type Node =
  | {
      readonly kind: 'simple';
      readonly assignments: readonly { readonly name: string; readonly value: Word }[];
      readonly words: readonly Word[];
      readonly redirections: readonly Redirection[];
    }
  | { readonly kind: 'list'; readonly items: readonly Node[] }
  | { readonly kind: 'and' | 'or'; readonly left: Node; readonly right: Node }
  | { readonly kind: 'not'; readonly body: Node }
  | { readonly kind: 'pipe'; readonly items: readonly Node[] }
  | {
      readonly kind: 'if';
      readonly branches: readonly { readonly condition: Node; readonly body: Node }[];
      readonly otherwise: Node | undefined;
    }
  | {
      readonly kind: 'case';
      readonly word: Word;
      readonly items: readonly { readonly patterns: readonly Word[]; readonly body: Node }[];
    }
  | {
      readonly kind: 'for';
      readonly name: string;
      /** Undefined: the positional parameters. */
      readonly words: readonly Word[] | undefined;
      readonly body: Node;
    }
  | { readonly kind: 'while'; readonly condition: Node; readonly body: Node; readonly until: boolean }
  | { readonly kind: 'function'; readonly name: string; readonly body: Node }
  | {
      readonly kind: 'group';
      readonly body: Node;
      readonly subshell: boolean;
      readonly redirections: readonly Redirection[];
    };
