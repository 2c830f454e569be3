// Repositories as an image states them: .repo files of dnf, yum, tdnf and zypp, the [main] section, variables, locks.
// https://dnf.readthedocs.io/en/latest/conf_ref.html; zypp(5). Plugins are not run (subscription-manager's redhat.repo is
// a file), services of zypp are read where their index is in the image.
import { OnlayError } from '../../../errors.ts';
import { byteString } from '../../../base/bytes.ts';
import type { RootView } from '../../../rootfs/root-view.ts';
import { splitLogin } from '../../url-login.ts';
import { booleanValue, listValue, numberValue, parseIni, type IniSection } from './ini.ts';
import { SERVICE_FILES, serviceRepositories } from './services.ts';

export interface RepositoryConfig {
  readonly id: string;
  readonly name: string;
  /** In order of preference; variables are filled in. */
  readonly baseUrls: readonly string[];
  readonly mirrorList: string | undefined;
  readonly metalink: string | undefined;
  /** Packages must be signed. */
  readonly checkPackages: boolean;
  /** The metadata must be signed. */
  readonly checkMetadata: boolean;
  /** `gpgkey` URLs. */
  readonly keys: readonly string[];
  /** Lower is better. */
  readonly priority: number;
  readonly cost: number;
  readonly excludes: readonly string[];
  /** Only these, if any. */
  readonly includes: readonly string[];
  readonly moduleHotfixes: boolean;
  readonly skipIfUnavailable: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly proxy: string | undefined;
  readonly tls: RepositoryTls | undefined;
  /** Where it was stated, for messages. */
  readonly origin: string;
}

export interface RepositoryTls {
  /** Paths in the image, or what the variables made of them. */
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly verify: boolean;
}

export interface MainConfig {
  readonly excludes: readonly string[];
  /** Names (globs) of packages that nothing may take the place of. */
  readonly protectedPackages: readonly string[];
  readonly installOnly: readonly string[];
}

export interface Configuration {
  /** Enabled ones, in the order of files and sections. */
  readonly repositories: readonly RepositoryConfig[];
  readonly main: MainConfig;
}

export type Variables = ReadonlyMap<string, string>;

const REPO_DIRECTORIES = ['etc/yum.repos.d', 'etc/distro.repos.d', 'etc/yum/repos.d', 'etc/zypp/repos.d'];
const MAIN_FILES = ['etc/dnf/dnf.conf', 'etc/yum.conf', 'etc/tdnf/tdnf.conf', 'etc/zypp/zypp.conf'];
const VARIABLE_DIRECTORIES = ['etc/yum/vars', 'etc/dnf/vars', 'etc/zypp/vars.d'];

/** True for every file this folder reads from an image. */
export function isRepositoryConfiguration(path: string): boolean {
  return (
    MAIN_FILES.includes(path) ||
    [...REPO_DIRECTORIES, ...VARIABLE_DIRECTORIES].some((directory) => path.startsWith(`${directory}/`)) ||
    /^etc\/(?:dnf|yum|zypp|tdnf|pki|rhsm|products\.d)\//.test(path) ||
    SERVICE_FILES.test(path) ||
    /^usr\/share\/distribution-gpg-keys\/|^usr\/lib\/rpm\/gnupg\/keys\//.test(path)
  );
}

const DEFAULT_INSTALL_ONLY = [
  'kernel',
  'kernel-PAE',
  'installonlypkg(kernel)',
  'installonlypkg(kernel-module)',
  'installonlypkg(vm)',
  'multiversion(kernel)',
];

export function readConfiguration(root: RootView, variables: Variables): Configuration {
  const sections: { section: IniSection; origin: string; zypp: boolean }[] = [];
  const main = new Map<string, string>();
  for (const path of MAIN_FILES)
    for (const section of parseIni(readText(root, path) ?? '')) {
      if (section.name === 'main') for (const [key, value] of section.values) main.set(key, value);
      else sections.push({ section, origin: path, zypp: path.startsWith('etc/zypp') });
    }
  for (const directory of REPO_DIRECTORIES)
    for (const name of root.list(directory))
      if (name.endsWith('.repo'))
        for (const section of parseIni(readText(root, `${directory}/${name}`) ?? ''))
          sections.push({ section, origin: `${directory}/${name}`, zypp: directory.includes('zypp') });
  const stated = new Set(sections.map(({ section }) => section.name));
  for (const { section, origin } of serviceRepositories(root))
    // where zypper has refreshed a service there are files, which may say otherwise
    if (!stated.has(section.name)) sections.push({ section, origin, zypp: true });
  const repositories = new Map<string, RepositoryConfig>();
  for (const { section, origin, zypp } of sections) {
    const repository = readRepository(section, { origin, zypp, main, variables });
    if (repository) repositories.set(repository.id, repository);
  }
  return {
    repositories: [...repositories.values()],
    main: {
      excludes: [...listValue(main.get('excludepkgs')), ...listValue(main.get('exclude'))],
      protectedPackages: protectedPackages(root, main.get('protected_packages') ?? DEFAULT_PROTECTED),
      installOnly: [...DEFAULT_INSTALL_ONLY, ...listValue(main.get('installonlypkgs'))],
    },
  };
}

const DEFAULT_PROTECTED = 'dnf glob:/etc/yum/protected.d/*.conf glob:/etc/dnf/protected.d/*.conf';

/** A list of names, in which `glob:/etc/dnf/protected.d/*.conf` stands for the names in files. */
function protectedPackages(root: RootView, list: string): readonly string[] {
  return listValue(list).flatMap((item): readonly string[] => {
    const [, directory, suffix] = /^glob:\/*(.+)\/\*([^/*]*)$/.exec(item) ?? [];
    if (directory === undefined) return [item];
    return root
      .list(directory)
      .filter((name) => name.endsWith(suffix ?? ''))
      .flatMap((name) => (readText(root, `${directory}/${name}`) ?? '').split('\n'))
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.startsWith('#'));
  });
}

interface SectionContext {
  readonly origin: string;
  readonly zypp: boolean;
  readonly main: ReadonlyMap<string, string>;
  readonly variables: Variables;
}

function readRepository(section: IniSection, context: SectionContext): RepositoryConfig | undefined {
  const { main, variables } = context;
  const own = (key: string): string | undefined => section.values.get(key);
  const inherited = (key: string): string | undefined => own(key) ?? main.get(key);
  const filled = (value: string | undefined): string | undefined =>
    value === undefined || value === '' ? undefined : substitute(value, variables);
  const id = substitute(section.name, variables);
  if (!booleanValue(own('enabled'), true) || !/^[\w.:+-]+$/.test(id)) return undefined;
  const path = context.zypp ? substitute(own('path') ?? '', variables).replace(/^\/+|\/+$/g, '') : '';
  const stated = listValue(own('baseurl')).map((url) => splitLogin(below(substitute(url, variables), path)));
  const baseUrls = stated.map(({ url }) => url);
  const login = stated.find((one) => one.login)?.login;
  const mirrorList = filled(own('mirrorlist'));
  const metalink = filled(own('metalink')) ?? (mirrorList?.includes('metalink') ? mirrorList : undefined);
  if (baseUrls.length === 0 && mirrorList === undefined && metalink === undefined) return undefined;
  // zypp: metadata must be signed unless switched off, packages then follow from their checksums
  const gpgcheck = booleanValue(inherited('gpgcheck'), context.zypp);
  const tls: RepositoryTls = {
    ca: filled(inherited('sslcacert')),
    cert: filled(inherited('sslclientcert')),
    key: filled(inherited('sslclientkey')),
    verify: booleanValue(inherited('sslverify'), true),
  };
  return {
    id,
    name: substitute(own('name') ?? id, variables),
    baseUrls,
    mirrorList: metalink === mirrorList ? undefined : mirrorList,
    metalink,
    checkPackages: gpgcheck && !context.zypp,
    checkMetadata: booleanValue(inherited('repo_gpgcheck'), false),
    keys: listValue(own('gpgkey')).map((url) => substitute(url, variables)),
    priority: numberValue(own('priority'), 99),
    cost: numberValue(own('cost'), 1000),
    excludes: [...listValue(own('excludepkgs')), ...listValue(own('exclude'))],
    includes: [...listValue(own('includepkgs'))],
    moduleHotfixes: booleanValue(own('module_hotfixes'), false),
    skipIfUnavailable: booleanValue(inherited('skip_if_unavailable'), false),
    username: login?.username ?? inherited('username'),
    password: login?.password ?? inherited('password'),
    proxy: proxyOf(inherited('proxy'), inherited('proxy_username'), inherited('proxy_password')),
    tls: tls.ca || tls.cert || tls.key || !tls.verify ? tls : undefined,
    origin: context.origin,
  };
}

/** zypp states the directory of a repository apart from its URL, and local ones as `dir:`. */
function below(url: string, path: string): string {
  const local = url.replace(/^dir:\/*(?=\/)/, 'file://');
  return path === '' ? local : `${local.replace(/\/+$/, '')}/${path}`;
}

function proxyOf(
  value: string | undefined,
  username: string | undefined,
  password: string | undefined,
): string | undefined {
  if (value === undefined || value === '') return undefined;
  if (value === '_none_') return 'direct';
  if (!username) return value;
  const credentials = `${encodeURIComponent(username)}:${encodeURIComponent(password ?? '')}@`;
  return value.replace(/^([a-z0-9]+:\/\/)/i, `$1${credentials}`);
}

/** `$name`, `${name}`, `${name:-otherwise}`, `${name:+instead}`; unknown ones stay, as for dnf. */
export function substitute(text: string, variables: Variables): string {
  return text
    .replace(/\$\{(\w+)(?::([-+])([^}]*))?\}/g, (whole, name: string, operator?: string, word?: string) => {
      const value = variables.get(name.toLowerCase()) ?? variables.get(name);
      if (operator === '-') return value === undefined || value === '' ? (word ?? '') : value;
      if (operator === '+') return value === undefined || value === '' ? '' : (word ?? '');
      return value ?? whole;
    })
    .replace(
      /\$(\w+)/g,
      (whole, name: string) => variables.get(name) ?? variables.get(name.toLowerCase()) ?? whole,
    );
}

/** Variables of the image's own files, beneath those that are known. */
export function readVariables(root: RootView, known: Variables): Variables {
  const variables = new Map<string, string>();
  for (const directory of VARIABLE_DIRECTORIES)
    for (const name of root.list(directory)) {
      const value = readText(root, `${directory}/${name}`)?.split('\n')[0]?.trim();
      if (value !== undefined && /^\w+$/.test(name)) variables.set(name, value);
    }
  for (const [name, value] of known)
    if (!variables.has(name) || name !== 'releasever') variables.set(name, value);
  const release = variables.get('releasever');
  if (release !== undefined) {
    const [major, minor] = release.split('.');
    variables.set('releasever_major', major ?? '');
    variables.set('releasever_minor', minor ?? '');
  }
  return variables;
}

/** `origin` of repositories that are not the image's own. */
export const USER = '--repo';

/** `--repo id=URL`, or a URL alone. Throws USAGE. */
export function parseRepositoryOption(spec: string, variables: Variables): RepositoryConfig {
  const match = /^(?:([\w.:+-]+)=)?([a-z][a-z0-9+.-]*:\/\/\S+|\/\S*)$/i.exec(spec.trim());
  if (!match)
    throw new OnlayError('USAGE', `Repository ${spec} is not understood`, {
      hint: 'rpm repositories are given as id=URL',
    });
  const location = match[2] as string;
  const { url, login } = splitLogin(
    substitute(location.startsWith('/') ? `file://${location}` : location, variables),
  );
  return {
    id:
      match[1] ??
      (url
        .replace(/^[a-z]+:\/+/i, '')
        .replace(/[^\w.+-]+/g, '-')
        .replace(/^-+|-+$/g, '') ||
        'repository'),
    name: match[1] ?? url,
    baseUrls: [url],
    mirrorList: undefined,
    metalink: undefined,
    checkPackages: false,
    checkMetadata: false,
    keys: [],
    priority: 99,
    cost: 1000,
    excludes: [],
    includes: [],
    moduleHotfixes: false,
    skipIfUnavailable: false,
    username: login?.username,
    password: login?.password,
    proxy: undefined,
    tls: undefined,
    origin: USER,
  };
}

export function readText(root: RootView, path: string): string | undefined {
  const bytes = root.readable(path) ? root.read(path) : undefined;
  return bytes && byteString(bytes);
}
