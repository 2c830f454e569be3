// WWW-Authenticate as registries send it: RFC 9110 section 11.6.1, read leniently. Several challenges in one header,
// several headers, commas inside quotes, unknown schemes and token68 values are all met in practice; nothing here throws.

export interface Challenge {
  /** Lower case: "bearer", "basic", "negotiate". */
  readonly scheme: string;
  /** Names in lower case; the first value of a repeated name counts. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** All challenges of all headers, in order. */
export function parseChallenges(headers: readonly string[]): readonly Challenge[] {
  return headers.flatMap(parseHeader);
}

/** The challenge to answer: Bearer when it names a realm, else Basic; undefined when neither is there. */
export function chooseChallenge(challenges: readonly Challenge[]): Challenge | undefined {
  return (
    challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm')) ??
    challenges.find(({ scheme }) => scheme === 'basic')
  );
}

/** The scopes of a Bearer challenge: one parameter may hold several, separated by spaces. */
export function challengeScopes(challenge: Challenge): readonly string[] {
  return (challenge.parameters.get('scope') ?? '').split(/\s+/).filter((scope) => scope !== '');
}

const SEPARATORS = /[\s,]*/y;
const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const EQUALS = /\s*=\s*/y;
// "abc==" after a scheme; must not swallow `realm="…"` or `realm=x`
const TOKEN68 = /\s+[A-Za-z0-9\-._~+/]+=*(?=\s*(?:,|$))/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"?/y;
// realms without quotes hold characters that no token may hold
const UNQUOTED = /[^\s,"]*/y;

function parseHeader(text: string): Challenge[] {
  const challenges: Challenge[] = [];
  let parameters: Map<string, string> | undefined;
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match) at += match[0].length;
    return match;
  };
  for (;;) {
    take(SEPARATORS);
    if (at >= text.length) return challenges;
    const name = take(TOKEN)?.[0]?.toLowerCase();
    if (name === undefined) {
      at++;
    } else if (take(EQUALS)) {
      const quoted = take(QUOTED);
      const value = quoted ? (quoted[1] ?? '').replace(/\\(.)/g, '$1') : (take(UNQUOTED)?.[0] ?? '');
      if (parameters && !parameters.has(name)) parameters.set(name, value);
    } else {
      parameters = new Map();
      challenges.push({ scheme: name, parameters });
      take(TOKEN68);
    }
  }
}
