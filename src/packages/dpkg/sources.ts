// Which repositories apt of an image would use: etc/apt/sources.list, sources.list.d/*.list and *.sources,
// sources.list(5). Also reads --repo lines and the default repositories of distros, which have the one-line form.
// Source packages are passed over; mirror lists are read from the image, not fetched.
import { OnlayError } from '../../errors.ts';
import { displayText } from '../../base/bytes.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import { splitLogin } from '../url-login.ts';
import { readImageText } from './apt-config.ts';
import type { AuthEntry } from './auth-conf.ts';
import { parseStanzas } from './control.ts';
import type { Stanza } from './control.ts';

/** One suite of one repository. */
export interface Source {
  /** Where it is stated: a file of the image, "--repo", "defaults of debian". */
  readonly origin: string;
  /** Base URLs, without a trailing slash or a login: one, or those of a mirror list in order of preference. */
  readonly bases: readonly string[];
  /** Logins that stood in the URLs. */
  readonly logins: readonly AuthEntry[];
  /** "bookworm-security", or for a flat repository a path that ends in a slash. */
  readonly suite: string;
  /** Empty for a flat repository. */
  readonly components: readonly string[];
  /** Debian architectures; undefined: those of the image. */
  readonly architectures: readonly string[] | undefined;
  readonly signedBy: SignedBy | undefined;
  /** `Trusted: yes`; not believed, but explained (--allow-unsigned). */
  readonly trusted: boolean;
  /** Tri-state options: undefined leaves the decision to apt.conf and the Release file. */
  readonly checkValidUntil: boolean | undefined;
  readonly checkDate: boolean | undefined;
  readonly byHash: boolean | undefined;
  /** Seconds. */
  readonly validUntilMax: number | undefined;
  readonly validUntilMin: number | undefined;
}

export interface SignedBy {
  /** Paths in the image. */
  readonly files: readonly string[];
  /** Upper-case hex. */
  readonly fingerprints: readonly string[];
  /** Armored keys that stand in the .sources file itself. */
  readonly keys: readonly string[];
}

export interface Sources {
  readonly sources: readonly Source[];
  /** What was left out and why, for people. */
  readonly unsupported: readonly string[];
}

/** The image's own repositories; each once. Throws CONFIG_INVALID for a line apt would not read either. */
export function readSources(root: RootView, architecture: string): Sources {
  const read: Source[] = [];
  const unsupported: string[] = [];
  const add = (path: string, parse: (text: string, origin: string) => readonly RawSource[]): void => {
    for (const raw of parse(readImageText(root, path) ?? '', path)) {
      const source = complete(raw, root, architecture);
      if (typeof source === 'string') unsupported.push(source);
      else read.push(source);
    }
  };
  add('etc/apt/sources.list', parseOneLine);
  for (const name of root.list('etc/apt/sources.list.d')) {
    if (/^[A-Za-z0-9_.-]+\.list$/.test(name)) add(`etc/apt/sources.list.d/${name}`, parseOneLine);
    else if (/^[A-Za-z0-9_.-]+\.sources$/.test(name)) add(`etc/apt/sources.list.d/${name}`, parseDeb822);
  }
  return { sources: distinct(read), unsupported: [...new Set(unsupported)] };
}

/** Repositories of --repo or of a distro's defaults. Throws USAGE for what is no `deb` line or cannot be used. */
export function readSourceLines(
  lines: readonly string[],
  options: { readonly origin: string; readonly root: RootView; readonly architecture: string },
): readonly Source[] {
  return distinct(
    lines.flatMap((line) => {
      const raw = parseOneLine(line, options.origin);
      if (raw.length === 0)
        throw new OnlayError('USAGE', `${options.origin} "${line}" is no repository`, {
          hint: 'it looks like: deb http://HOST/debian bookworm main',
        });
      return raw.map((entry) => {
        const source = complete(entry, options.root, options.architecture);
        if (typeof source === 'string') throw new OnlayError('USAGE', source);
        return source;
      });
    }),
  );
}

/** What the two forms have in common, before variables and mirror lists. */
interface RawSource {
  readonly origin: string;
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
  /** By option name in lower case, as one-line options spell it. */
  readonly options: ReadonlyMap<string, string>;
}

function parseOneLine(text: string, origin: string): readonly RawSource[] {
  const found: RawSource[] = [];
  for (const [index, whole] of text.split('\n').entries()) {
    const line = whole.replace(/#.*$/, '').trim();
    if (line === '') continue;
    // a URI may hold brackets: cdrom:[Debian GNU/Linux]/
    const match = /^(deb|deb-src)\s+(?:\[([^\]]*)\]\s*)?((?:\[[^\]]*\]|[^\s[])+)\s+(\S+)(?:\s+(.*))?$/.exec(
      line,
    );
    if (!match)
      throw new OnlayError(
        'CONFIG_INVALID',
        `Cannot read ${origin}: line ${index + 1} is no repository: ${displayText(line.slice(0, 100))}`,
      );
    const [, type, options = '', uri = '', suite = '', components = ''] = match;
    if (type === 'deb-src') continue;
    found.push({ origin, uri, suite, components: words(components), options: oneLineOptions(options) });
  }
  return found;
}

function oneLineOptions(text: string): ReadonlyMap<string, string> {
  const options = new Map<string, string>();
  for (const [, name = '', sign = '', value = ''] of text.matchAll(/([A-Za-z-]+)\s*([+-]?=)\s*(\S+)/g))
    options.set(`${name.toLowerCase()}${sign.slice(0, -1)}`, value);
  return options;
}

/** deb822 field → name of the one-line option. */
const FIELDS: Readonly<Record<string, string>> = {
  Architectures: 'arch',
  'Architectures-Add': 'arch+',
  'Architectures-Remove': 'arch-',
  'Signed-By': 'signed-by',
  Trusted: 'trusted',
  'Check-Valid-Until': 'check-valid-until',
  'Check-Date': 'check-date',
  'By-Hash': 'by-hash',
  'Valid-Until-Max': 'valid-until-max',
  'Valid-Until-Min': 'valid-until-min',
};

function parseDeb822(text: string, origin: string): readonly RawSource[] {
  return parseStanzas(text, { what: origin, code: 'CONFIG_INVALID', comments: true }).flatMap((stanza) => {
    if (isNo(stanza.get('Enabled')) || !words(stanza.get('Types')).includes('deb')) return [];
    const uris = words(required(stanza, 'URIs', origin));
    const suites = words(required(stanza, 'Suites', origin));
    const options = new Map<string, string>();
    for (const [field, option] of Object.entries(FIELDS)) {
      const value = stanza.get(field);
      if (value !== undefined) options.set(option, value);
    }
    const components = words(stanza.get('Components'));
    return uris.flatMap((uri) => suites.map((suite) => ({ origin, uri, suite, components, options })));
  });
}

function required(stanza: Stanza, field: string, origin: string): string {
  const value = stanza.get(field);
  if (value === undefined || value === '')
    throw new OnlayError('CONFIG_INVALID', `Cannot read ${origin}: a paragraph has no ${field}`);
  return value;
}

const MAX_URI = 2048;

/** Expands a raw source; a sentence says why it cannot be used. */
function complete(raw: RawSource, root: RootView, architecture: string): Source | string {
  const { options, origin } = raw;
  const substitute = (text: string): string => text.replaceAll('$(ARCH)', architecture);
  const suite = substitute(raw.suite);
  const flat = suite.endsWith('/');
  if (raw.uri.length > MAX_URI || suite.length > MAX_URI)
    throw new OnlayError(
      'CONFIG_INVALID',
      `Cannot read ${origin}: a URI or suite has more than ${MAX_URI} characters`,
    );
  const told = `${splitLogin(raw.uri).url} ${suite} (${origin})`;
  if (flat === raw.components.length > 0)
    throw new OnlayError(
      'CONFIG_INVALID',
      `Cannot read ${origin}: ${splitLogin(raw.uri).url} ${suite} ${flat ? 'is flat and has components' : 'has no component'}`,
    );
  if (suite.split('/').includes('..'))
    throw new OnlayError('CONFIG_INVALID', `Cannot read ${origin}: suite ${suite} leaves its repository`);
  const bases = basesOf(substitute(raw.uri), root);
  if (typeof bases === 'string') return `${told}: ${bases}`;
  const split = bases.map(splitLogin);
  return {
    origin,
    bases: split.map(({ url }) => url),
    logins: split.flatMap(({ url, login }) => (login ? [{ machine: url, ...login }] : [])),
    suite,
    components: raw.components,
    architectures: architecturesOf(options, architecture),
    signedBy: signedByOf(options.get('signed-by')),
    trusted: isYes(options.get('trusted')),
    checkValidUntil: triState(options.get('check-valid-until')),
    checkDate: triState(options.get('check-date')),
    byHash: options.get('by-hash') === 'force' ? true : triState(options.get('by-hash')),
    validUntilMax: seconds(options.get('valid-until-max')),
    validUntilMin: seconds(options.get('valid-until-min')),
  };
}

function basesOf(uri: string, root: RootView): readonly string[] | string {
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9+.-]*):(.*)$/i.exec(uri) ?? [];
  switch (scheme.toLowerCase()) {
    case 'http':
    case 'https':
    case 'file':
      return [uri.replace(/\/+$/, '')];
    case 'copy':
      return [`file:${rest}`.replace(/\/+$/, '')];
    case 'mirror+file':
    case 'mirror+copy': {
      const list = readImageText(root, rest.replace(/^\/\/(?:localhost)?(?=\/)/, ''));
      const bases = list === undefined ? [] : mirrorList(list);
      return bases.length > 0 ? bases : 'its mirror list is missing or empty';
    }
    default:
      return `the method "${scheme}" is not supported`;
  }
}

/** Lines of "URI [key:value …]", apt-transport-mirror(1); a lower priority number goes first. */
function mirrorList(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.replace(/#.*$/, '').trim())
    .filter((line) => line.length <= MAX_URI && /^https?:\/\//i.test(line))
    .map((line) => {
      const [uri = '', ...attributes] = line.split(/\s+/);
      const priority = attributes.map((attribute) => /^priority:(\d+)$/.exec(attribute)?.[1]).find(Boolean);
      return { uri: uri.replace(/\/+$/, ''), priority: priority === undefined ? Infinity : Number(priority) };
    })
    .sort((a, b) => (a.priority === b.priority ? 0 : a.priority - b.priority))
    .map(({ uri }) => uri);
}

function architecturesOf(
  options: ReadonlyMap<string, string>,
  native: string,
): readonly string[] | undefined {
  const stated = options.get('arch');
  const added = listOf(options.get('arch+'));
  const removed = listOf(options.get('arch-'));
  if (stated === undefined && added.length === 0 && removed.length === 0) return undefined;
  const base = stated === undefined ? [native] : listOf(stated);
  return [...new Set([...base, ...added])]
    .filter((arch) => !removed.includes(arch))
    .map((arch) => (arch === 'native' ? native : arch));
}

function signedByOf(value: string | undefined): SignedBy | undefined {
  if (value === undefined) return undefined;
  if (value.includes('-----BEGIN PGP'))
    // an empty line of the key is written as a dot, like in descriptions
    return {
      files: [],
      fingerprints: [],
      keys: [
        value
          .split('\n')
          .map((line) => line.trim())
          .map((line) => (line === '.' ? '' : line))
          .join('\n')
          .trim(),
      ],
    };
  const items = listOf(value);
  return {
    files: items.filter((item) => item.startsWith('/')),
    // "!" forbids subkeys of the fingerprint; both are looked for among primary keys and subkeys
    fingerprints: items
      .filter((item) => !item.startsWith('/'))
      .map((item) => item.replace(/!$/, '').toUpperCase()),
    keys: [],
  };
}

/** Sources that state the same thing twice count once, as for apt, which warns. */
function distinct(sources: readonly Source[]): readonly Source[] {
  const seen = new Set<string>();
  const kept: Source[] = [];
  for (const source of sources) {
    const components = source.components.filter((component) => !seen.has(key(source, component)));
    if (source.components.length > 0 ? components.length === 0 : seen.has(key(source, ''))) continue;
    for (const component of source.components.length > 0 ? components : [''])
      seen.add(key(source, component));
    kept.push(components.length === source.components.length ? source : { ...source, components });
  }
  return kept;
}

function key({ bases, suite, architectures }: Source, component: string): string {
  return JSON.stringify([bases, suite, component, architectures]);
}

function words(text: string | undefined): string[] {
  return (text ?? '').split(/\s+/).filter((word) => word !== '');
}

function listOf(text: string | undefined): string[] {
  return (text ?? '').split(/[\s,]+/).filter((word) => word !== '');
}

function isYes(value: string | undefined): boolean {
  return value !== undefined && /^(?:yes|true|with|on|enable|1)$/i.test(value);
}

function isNo(value: string | undefined): boolean {
  return value !== undefined && /^(?:no|false|without|off|disable|0)$/i.test(value);
}

function triState(value: string | undefined): boolean | undefined {
  return isYes(value) ? true : isNo(value) ? false : undefined;
}

function seconds(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,12}$/.test(value) ? Number(value) : undefined;
}
