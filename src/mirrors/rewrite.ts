// The mirror map: `--mirror FROM=TO` replaces the beginning of repository URLs. Pure; the longest FROM wins, a rule
// applies once, and it ends at a path boundary ("http://host/debian" does not touch "http://host/debian-security").
import { OnlayError } from '../errors.ts';

export interface MirrorRule {
  /** As given: a URL, or a host with or without a path, which then stands for http and https. */
  readonly from: string;
  /** http(s) URL, or a directory: a path or a file: URL. */
  readonly to: string;
}

/** Parses rules as the command line has them. Throws USAGE. */
export function parseMirrors(rules: readonly string[]): readonly MirrorRule[] {
  return rules.map((rule) => {
    const at = rule.indexOf('=');
    const from = rule.slice(0, Math.max(at, 0)).trim();
    const to = rule.slice(at + 1).trim();
    const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(to)?.[1]?.toLowerCase();
    const bad = at < 1 || to === '' || (scheme !== undefined && !['http', 'https', 'file'].includes(scheme));
    if (bad)
      throw new OnlayError('USAGE', `Invalid mirror rule "${rule}": it has to be FROM=TO`, {
        hint: 'FROM is the beginning of a repository URL, TO an http(s) URL or a directory that replaces it',
      });
    return { from, to };
  });
}

/** Where a URL is to be fetched from. */
export type Target =
  | { readonly kind: 'url'; readonly url: string; readonly rule?: MirrorRule }
  /** `rest` is below `directory`, percent-encoded as in the URL. */
  | {
      readonly kind: 'directory';
      readonly directory: string;
      readonly rest: string;
      readonly rule: MirrorRule;
    };

/** Applies the rule with the longest FROM, if any fits. */
export function rewriteUrl(url: string, rules: readonly MirrorRule[]): Target {
  let best: { rule: MirrorRule; rest: string } | undefined;
  for (const rule of rules) {
    const rest = restAfter(url, rule.from);
    if (rest !== undefined && (!best || rule.from.length > best.rule.from.length)) best = { rule, rest };
  }
  if (!best) return { kind: 'url', url };
  const { rule, rest } = best;
  if (!/^https?:/i.test(rule.to)) return { kind: 'directory', directory: rule.to, rest, rule };
  return { kind: 'url', url: rest === '' ? rule.to : `${rule.to.replace(/\/+$/, '')}/${rest}`, rule };
}

/** What follows `from` in `url`, without slashes in front; undefined when `url` does not begin with it. */
function restAfter(url: string, from: string): string | undefined {
  const subject = canonical(url);
  const prefixes =
    from.includes('://') || /^file:/i.test(from) ? [from] : [`http://${from}`, `https://${from}`];
  for (const prefix of prefixes) {
    const start = canonical(prefix).replace(/\/+$/, '');
    if (subject === start) return '';
    if (subject.startsWith(`${start}/`)) return subject.slice(start.length).replace(/^\/+/, '');
  }
  return undefined;
}

/** Host in lower case, no default port, no user information: what does not tell two repositories apart. */
function canonical(url: string): string {
  const match = /^([a-z][a-z0-9+.-]*):\/\/(?:[^/@]*@)?([^/]*)(.*)$/is.exec(url);
  if (!match) return url.replace(/^file:\/*(?=\/)/i, 'file://');
  const [, scheme = '', host = '', path = ''] = match;
  const port = scheme.toLowerCase() === 'https' ? /:443$/ : /:80$/;
  return `${scheme.toLowerCase()}://${host.toLowerCase().replace(port, '')}${path}`;
}
