// Credential files: docker's config.json, podman's auth.json (containers-auth.json(5)), the old .dockercfg, and
// Kubernetes pull secrets in their three shapes. Keys are written in many ways for the same host; they are compared
// after normalisation, the most specific one wins.
import { OnlayError } from '../../errors.ts';

export interface AuthEntry {
  readonly username?: string;
  readonly password?: string;
  readonly identityToken?: string;
  readonly registryToken?: string;
}

export interface AuthFile {
  readonly entries: readonly Keyed<AuthEntry>[];
  /** Helper names per registry, and for all others. */
  readonly helpers: readonly Keyed<string>[];
  readonly store: string | undefined;
}

export interface Keyed<T> {
  /** As it is written. */
  readonly key: string;
  readonly host: string;
  /** Repository prefix: "" for the whole host. */
  readonly path: string;
  readonly value: T;
}

const HUB_HOSTS: ReadonlySet<string> = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);

/** Reads any of the shapes. Throws CONFIG_INVALID; what a message says never includes the content. */
export function parseAuthFile(bytes: Uint8Array, path: string): AuthFile {
  const root = parseObject(bytes, path);
  const secret = pullSecret(root, path);
  if (secret) return parseAuthFile(secret, path);
  const modern = isModern(root);
  const auths = modern ? objectOf(root['auths']) : root;
  const entries = Object.entries(auths).flatMap(([key, value]) => {
    const entry = parseEntry(value, `${path}, entry ${key.slice(0, 200)}`);
    return entry ? [{ key, ...splitKey(key), value: entry }] : [];
  });
  const helpers = Object.entries(objectOf(root['credHelpers'])).flatMap(([key, value]) =>
    typeof value === 'string' && value !== '' ? [{ key, ...splitKey(key), value }] : [],
  );
  const store = root['credsStore'];
  return { entries, helpers, store: modern && typeof store === 'string' && store !== '' ? store : undefined };
}

export interface EditableAuthFile {
  /** What is written back. */
  readonly root: Record<string, unknown>;
  /** `auths` of it, to be changed. */
  readonly auths: Record<string, unknown>;
}

/** A file as docker writes it, or an old one that becomes one. Throws CONFIG_INVALID for what cannot be written to. */
export function editAuths(bytes: Uint8Array | undefined, path: string): EditableAuthFile {
  const found = bytes ? parseObject(bytes, path) : {};
  const unusable = (why: string): OnlayError =>
    new OnlayError('CONFIG_INVALID', `Cannot write credentials to ${path}: ${why}`);
  if (pullSecret(found, path)) throw unusable('it is a pull secret of Kubernetes');
  const old = !isModern(found) && Object.keys(found).some((key) => 'auth' in objectOf(found[key]));
  const root = old ? { auths: found } : found;
  const auths = root['auths'] ?? {};
  if (typeof auths !== 'object' || Array.isArray(auths)) throw unusable('its "auths" is no object');
  root['auths'] = auths;
  return { root, auths: auths as Record<string, unknown> };
}

function isModern(root: Record<string, unknown>): boolean {
  return ['auths', 'credHelpers', 'credsStore', 'HttpHeaders'].some((key) => key in root);
}

/**
 * The value for a repository of a host: the longest repository prefix, and among equals an exact host before a pattern
 * ("*.example.com", one label for each "*").
 */
export function findKeyed<T>(
  list: readonly Keyed<T>[],
  host: string,
  repository: string,
): Keyed<T> | undefined {
  const wanted = hubAlias(host.toLowerCase());
  let best: Keyed<T> | undefined;
  let bestRank = -1;
  for (const item of list) {
    const exact = item.host === wanted;
    if (!exact && !(item.host.includes('*') && globMatches(item.host, wanted))) continue;
    if (item.path !== '' && item.path !== repository && !repository.startsWith(`${item.path}/`)) continue;
    const rank = item.path.length * 2 + (exact ? 1 : 0);
    if (rank > bestRank) [best, bestRank] = [item, rank];
  }
  return best;
}

/** True when a key of a credential file stands for this host as a whole. */
export function isKeyOf(key: string, host: string): boolean {
  const split = splitKey(key);
  return split.host === hubAlias(host.toLowerCase()) && split.path === '';
}

function hubAlias(host: string): string {
  return HUB_HOSTS.has(host) ? 'docker.io' : host;
}

// "https://host/v1/", "host:port", "host/v2", "host/namespace/image": with a scheme, what follows the host is an API path
function splitKey(key: string): { host: string; path: string } {
  const bare = key.replace(/^[a-z][a-z0-9+.-]*:\/\//i, '');
  const [host = '', ...rest] = bare.replace(/\/+$/, '').split('/');
  const path = rest.join('/');
  const isApi = bare !== key || /^v[12]$/.test(path);
  return { host: hubAlias(host.toLowerCase()), path: isApi ? '' : path };
}

function globMatches(pattern: string, host: string): boolean {
  const [patternHost = '', patternPort = ''] = pattern.split(':');
  const [name = '', port = ''] = host.split(':');
  const labels = name.split('.');
  const globs = patternHost.split('.');
  if (patternPort !== port || labels.length !== globs.length) return false;
  return globs.every((glob, at) => {
    const label = labels[at] ?? '';
    const [head = '', ...tail] = glob.split('*');
    if (tail.length === 0) return glob === label;
    // one "*" per label is all that Kubernetes documents
    const end = tail.join('*');
    return label.length >= head.length + end.length && label.startsWith(head) && label.endsWith(end);
  });
}

function parseEntry(value: unknown, what: string): AuthEntry | undefined {
  const entry = objectOf(value);
  const text = (key: string): string | undefined => {
    const field = entry[key];
    return typeof field === 'string' && field !== '' ? field : undefined;
  };
  const auth = text('auth');
  const decoded = auth === undefined ? undefined : decodeAuth(auth, what);
  const username = decoded?.username ?? text('username');
  const password = decoded?.password ?? text('password');
  const identityToken = text('identitytoken');
  const registryToken = text('registrytoken');
  // an empty entry says that a helper knows more
  if (password === undefined && identityToken === undefined && registryToken === undefined) return undefined;
  return {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(identityToken !== undefined && { identityToken }),
    ...(registryToken !== undefined && { registryToken }),
  };
}

// docker pads with NULs; a password may hold colons, a user name may not
function decodeAuth(auth: string, what: string): { username: string; password?: string } {
  const text = Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '');
  const colon = text.indexOf(':');
  if (colon === -1)
    throw new OnlayError(
      'CONFIG_INVALID',
      `Cannot read credentials from ${what}: "auth" is not base64 of USER:PASSWORD`,
    );
  const password = text.slice(colon + 1);
  return { username: text.slice(0, colon), ...(password !== '' && { password }) };
}

// kubernetes.io/dockerconfigjson and kubernetes.io/dockercfg, as `kubectl get secret -o json` prints them
function pullSecret(root: Record<string, unknown>, path: string): Uint8Array | undefined {
  const holders = [objectOf(root['data']), objectOf(root['stringData']), root];
  for (const [at, holder] of holders.entries())
    for (const name of ['.dockerconfigjson', '.dockercfg']) {
      const value = holder[name];
      if (typeof value !== 'string') continue;
      const bytes = at === 1 ? Buffer.from(value, 'utf8') : Buffer.from(value, 'base64');
      if (at === 2 && /^\s*\{/.test(value)) return Buffer.from(value, 'utf8');
      if (bytes.length > 0) return bytes;
      throw new OnlayError('CONFIG_INVALID', `Cannot read credentials from ${path}: ${name} is empty`);
    }
  return undefined;
}

function parseObject(bytes: Uint8Array, path: string): Record<string, unknown> {
  const text = Buffer.from(bytes)
    .toString('utf8')
    .replace(/^\ufeff/, '');
  if (text.trim() === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // the parser's message would quote the content
    throw new OnlayError('CONFIG_INVALID', `Cannot read credentials from ${path}: it is not JSON`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new OnlayError('CONFIG_INVALID', `Cannot read credentials from ${path}: it is not a JSON object`);
  return value as Record<string, unknown>;
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}
