// Redirects, followed by ourselves: few, never from https to http, and what identifies the user stays with the origin
// it was meant for. Once a chain has left its origin it gets nothing back (GHSA-vh4v-2xq2-g5cg).
import { OnlayError } from '../../errors.ts';
import type { Reach } from '../../base/address.ts';
import type { Answer } from './answer.ts';
import type { Exchange } from './transport.ts';

const LIMIT = 6;
const STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Headers that say nothing about the user; all others are dropped on another origin. */
const NEUTRAL: ReadonlySet<string> = new Set(['accept', 'accept-encoding', 'range', 'user-agent']);

export interface RedirectPolicy {
  /** For origins other than the first. */
  readonly reach: () => Reach;
  /** For messages. */
  readonly doing: string;
}

/** Sends `exchange` and follows where the answers lead. */
export async function followRedirects(
  exchange: Exchange,
  send: (exchange: Exchange) => Promise<Answer>,
  policy: RedirectPolicy,
): Promise<Answer> {
  let current = exchange;
  for (let hops = 0; ; hops++) {
    const answer = await send(current);
    const location = STATUSES.has(answer.status) ? answer.header('location') : undefined;
    if (location === undefined) return answer;
    await answer.discard();
    if (hops === LIMIT) throw refused(policy, `more than ${LIMIT} redirects`);
    current = redirected(current, location, answer.status, policy);
  }
}

function redirected(exchange: Exchange, location: string, status: number, policy: RedirectPolicy): Exchange {
  const { url: from, method } = exchange;
  if (!URL.canParse(location, from.href)) throw refused(policy, 'the redirect leads to no URL');
  const url = new URL(location, from);
  const place = `${url.protocol}//${url.host}`;
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw refused(policy, `${place} is no web address`);
  if (from.protocol === 'https:' && url.protocol === 'http:')
    throw refused(policy, `the redirect to ${place} leaves https`);
  if (url.username !== '' || url.password !== '')
    throw refused(policy, 'the redirect holds user information');
  url.hash = '';
  const reads = method === 'GET' || method === 'HEAD';
  // 301 to 303 turn a write into a GET for some programs; only 307 and 308 keep it what it is
  if (!reads && status !== 307 && status !== 308)
    throw refused(policy, `${method} was answered with redirect ${status}`);
  if (url.origin === from.origin) return { ...exchange, url };
  if (!reads) throw refused(policy, `${method} was redirected to another server, ${place}`);
  const headers = Object.fromEntries(Object.entries(exchange.headers).filter(([name]) => NEUTRAL.has(name)));
  return { ...exchange, url, headers, reach: policy.reach() };
}

function refused({ doing }: RedirectPolicy, why: string): OnlayError {
  return new OnlayError('SERVER', `Cannot ${doing}: ${why}`, {
    hint: 'the registry, or a proxy before it, is set up wrongly',
  });
}
