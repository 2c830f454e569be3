// Mirrors, renames and blocks from registries.conf (containers-registries.conf(5), version 2). Mirrors serve reads only;
// a push goes to the registry itself. Short-name aliases are not read: short names are Docker Hub's here.
import { join } from 'node:path';
import { OnlayError } from '../../errors.ts';
import { configHomeOf, type Environment } from './environment.ts';
import { parseToml, type TomlTable } from './toml.ts';

export type PullFrom = 'all' | 'digest-only' | 'tag-only';

export interface RegistryRule {
  /** "host[:port][/namespace…]" or "*.host". */
  readonly prefix: string;
  readonly location: string;
  readonly insecure: boolean;
  readonly blocked: boolean;
  readonly mirrors: readonly MirrorRule[];
}

export interface MirrorRule {
  readonly location: string;
  readonly insecure: boolean;
  readonly pullFrom: PullFrom;
}

/** A place of a repository: "host/path" with its rules. */
export interface Location {
  readonly domain: string;
  readonly repository: string;
  readonly insecure: boolean;
  readonly pullFrom: PullFrom;
}

export interface Locations {
  readonly blocked: boolean;
  readonly mirrors: readonly Location[];
  readonly primary: Location;
}

/** Rules of the file that counts (user's before system's) and its drop-ins. Throws CONFIG_INVALID. */
export async function readRegistriesConf(environment: Environment): Promise<readonly RegistryRule[]> {
  const { main, directories } = places(environment);
  const rules = new Map<string, RegistryRule>();
  const add = async (path: string): Promise<boolean> => {
    const bytes = await environment.readFile(path);
    if (!bytes) return false;
    for (const rule of parseRules(Buffer.from(bytes).toString('utf8'), path)) rules.set(rule.prefix, rule);
    return true;
  };
  for (const path of main) if (await add(path)) break;
  for (const directory of directories)
    for (const name of (await environment.readDirectory(directory)) ?? [])
      if (name.endsWith('.conf')) await add(join(directory, name));
  return [...rules.values()];
}

/** Where a repository is to be found: the rule with the longest matching prefix decides. */
export function locate(rules: readonly RegistryRule[], domain: string, repository: string): Locations {
  const name = `${domain}/${repository}`;
  const rule = rules
    .filter(({ prefix }) => matchedLength(prefix, name) > 0)
    .toSorted((a, b) => matchedLength(b.prefix, name) - matchedLength(a.prefix, name))[0];
  const own: Location = { domain, repository, insecure: rule?.insecure ?? false, pullFrom: 'all' };
  if (!rule) return { blocked: false, mirrors: [], primary: own };
  const rest = name.slice(matchedLength(rule.prefix, name));
  const at = (location: string, insecure: boolean, pullFrom: PullFrom): Location => {
    const [host = '', ...path] = `${location}${rest}`.split('/');
    return { domain: host.toLowerCase(), repository: path.join('/'), insecure, pullFrom };
  };
  return {
    blocked: rule.blocked,
    mirrors: rule.mirrors.map((mirror) => at(mirror.location, mirror.insecure, mirror.pullFrom)),
    primary: rule.location === '' ? own : at(rule.location, rule.insecure, 'all'),
  };
}

function places(environment: Environment): { main: string[]; directories: string[] } {
  const { variables } = environment;
  const named = variables['CONTAINERS_REGISTRIES_CONF'];
  const user = configHomeOf(environment);
  const users = user === undefined ? [] : [join(user, 'containers')];
  const parents = [...users, '/etc/containers'];
  return {
    main: named ? [named] : parents.map((parent) => join(parent, 'registries.conf')),
    directories: named ? [] : parents.toReversed().map((parent) => join(parent, 'registries.conf.d')),
  };
}

function parseRules(text: string, path: string): RegistryRule[] {
  const root = parseToml(text, path);
  return tables(root['registry']).map((table) => {
    const location = trimmed(table['location']);
    const prefix = trimmed(table['prefix']) || location;
    if (prefix === '')
      throw new OnlayError(
        'CONFIG_INVALID',
        `Cannot read ${path}: a [[registry]] has neither prefix nor location`,
      );
    const digestsOnly = table['mirror-by-digest-only'] === true;
    return {
      prefix,
      location,
      insecure: table['insecure'] === true,
      blocked: table['blocked'] === true,
      mirrors: tables(table['mirror']).map((mirror) => ({
        location: trimmed(mirror['location']),
        insecure: mirror['insecure'] === true,
        pullFrom: digestsOnly ? 'digest-only' : pullFrom(mirror['pull-from-mirror'], path),
      })),
    };
  });
}

function tables(value: unknown): TomlTable[] {
  return Array.isArray(value) ? (value as TomlTable[]) : [];
}

function trimmed(value: unknown): string {
  return typeof value === 'string' ? value.replace(/^https?:\/\//, '').replace(/\/+$/, '') : '';
}

function pullFrom(value: unknown, path: string): PullFrom {
  switch (value ?? 'all') {
    case 'all':
    case '':
      return 'all';
    case 'digest-only':
      return 'digest-only';
    case 'tag-only':
      return 'tag-only';
    default:
      throw new OnlayError(
        'CONFIG_INVALID',
        `Cannot read ${path}: pull-from-mirror is ${JSON.stringify(value)}`,
        {
          hint: 'it is all, digest-only or tag-only',
        },
      );
  }
}

// the part of `name` that the prefix covers; 0 when it does not match at a boundary
function matchedLength(prefix: string, name: string): number {
  if (prefix.startsWith('*.')) {
    // "*.corp.example", whatever the port
    const host = name.split('/', 1)[0] ?? '';
    return host.replace(/:\d+$/, '').endsWith(prefix.slice(1)) ? host.length : 0;
  }
  if (!name.startsWith(prefix)) return 0;
  const next = name[prefix.length];
  return next === undefined || next === '/' ? prefix.length : 0;
}
