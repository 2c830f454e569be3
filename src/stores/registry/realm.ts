// May credentials go to the token server a registry names? The registry's answer decides where a password is sent, so
// this is the line that CVE-2026-48978 (oras), CVE-2026-33540 (distribution) and others crossed. Over-blocking is a bug
// too: token servers on other hosts of the same company, in private networks, are normal.
import { OnlayError } from '../../errors.ts';
import type { AddressKind, Reach } from '../../base/address.ts';
import { quirkOf } from './quirks.ts';

export interface Realm {
  readonly url: URL;
  readonly sendCredentials: boolean;
  readonly reach: Reach;
}

export interface RealmPolicy {
  /** Of the registry, with the scheme that is in use. */
  readonly registry: URL;
  /** Kind of the registry's address; undefined when unknown, which counts as public. */
  readonly address: AddressKind | undefined;
  /** Hosts ("host", "host:port") or origins the user trusts with credentials for this registry. */
  readonly trusted: readonly string[];
}

/** Throws AUTH_DENIED for a realm that is not even asked anonymously. */
export function judgeRealm(realm: string, policy: RealmPolicy): Realm {
  const { registry, trusted } = policy;
  const refuse = (why: string): OnlayError =>
    new OnlayError('AUTH_DENIED', `Cannot log in to ${registry.host}: its token server is refused: ${why}`, {
      hint: 'a registry names its token server itself; ask its operator to correct the realm',
    });
  if (!URL.canParse(realm, registry.href)) throw refuse('the realm is no URL');
  const url = new URL(realm, registry);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && registry.protocol === 'http:'))
    throw refuse(`${url.protocol}//${url.host} is not https`);
  if (url.username !== '' || url.password !== '') throw refuse('the realm holds user information');
  url.hash = '';
  const isTrusted = trusted.some((entry) =>
    [url.host, url.hostname, url.origin].includes(entry.toLowerCase()),
  );
  const sameHost = url.hostname === registry.hostname;
  return {
    url,
    sendCredentials: isTrusted || sameHost || isRelated(url.hostname, registry.hostname),
    reach: sameHost ? 'any' : isTrusted ? 'no-metadata' : reachBeside(policy.address),
  };
}

/** Where servers named by a registry may be: beside it. A public registry has no business in private networks. */
export function reachBeside(address: AddressKind | undefined): Reach {
  return address === 'loopback' || address === 'private' ? 'no-metadata' : 'public';
}

function isRelated(realm: string, registry: string): boolean {
  if (quirkOf(registry)?.realmHosts?.includes(realm)) return true;
  const domain = registrableDomain(registry);
  return domain !== undefined && domain === registrableDomain(realm);
}

// Second-level labels under which countries register names, and hosting domains whose subdomains belong to strangers.
// Not the whole public suffix list: what is missing here only makes two hosts of one suffix count as related.
const SECOND_LEVEL: ReadonlySet<string> = new Set(
  'ac,co,com,edu,go,gob,gouv,gov,gv,mil,ne,net,nom,or,org,ltd,plc,sch'.split(','),
);
const SHARED: readonly string[] = [
  'amazonaws.com',
  'appspot.com',
  'azurecr.io',
  'azurewebsites.net',
  'cloudapp.net',
  'cloudfront.net',
  'duckdns.org',
  'fly.dev',
  'github.io',
  'gitlab.io',
  'herokuapp.com',
  'netlify.app',
  'ngrok.io',
  'ngrok-free.app',
  'nip.io',
  'onrender.com',
  'pages.dev',
  'run.app',
  'sslip.io',
  'vercel.app',
  'web.app',
  'windows.net',
  'workers.dev',
];

function registrableDomain(hostname: string): string | undefined {
  const labels = hostname.split('.');
  if (labels.length < 2 || /^[\d.]+$/.test(hostname) || hostname.startsWith('[')) return undefined;
  const shared = SHARED.find((suffix) => hostname === suffix || hostname.endsWith(`.${suffix}`));
  const suffixLabels = shared
    ? shared.split('.').length
    : SECOND_LEVEL.has(labels.at(-2) ?? '') && (labels.at(-1) ?? '').length === 2
      ? 2
      : 1;
  return labels.length <= suffixLabels ? undefined : labels.slice(-suffixLabels - 1).join('.');
}
