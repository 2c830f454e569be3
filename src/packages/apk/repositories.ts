// Where packages come from: etc/apk/repositories and etc/apk/repositories.d/*.list, a line a repository. apk 2:
// [@tag] URL. apk 3 adds `set name=value`, ${name}, a leading v2 or v3, components behind the URL and `ndx`.
// https://gitlab.alpinelinux.org/alpine/apk-tools/-/blob/master/doc/apk-repositories.5.scd
import { OnlayError } from '../../errors.ts';
import { byteString, compareBytes, displayText } from '../../base/bytes.ts';
import type { Log } from '../../base/log.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import type { FetchRequest } from '../fetch.ts';
import { splitLogin } from '../url-login.ts';

export interface Repository {
  /** As messages and results name it: the base URL without credentials, `@tag` in front if it has one. */
  readonly name: string;
  /** '' for none: its packages may be used for everything. */
  readonly tag: string;
  readonly indexUrl: string;
  /** Packages are ARCH/NAME-VERSION.apk, or NAME-VERSION.apk, below it. Ends in '/'. */
  readonly packageBase: string;
  readonly archFolders: boolean;
  readonly access: Pick<FetchRequest, 'credentials' | 'hostFiles'>;
}

const FILE = 'etc/apk/repositories';
const FOLDERS = ['etc/apk/repositories.d', 'lib/apk/repositories.d', 'usr/lib/apk/repositories.d'];

/** The repositories of an image, in apk's order; empty if it states none. */
export function readRepositories(root: RootView, arch: string, log: Log): readonly Repository[] {
  const files = [FILE];
  const seen = new Set<string>();
  for (const folder of FOLDERS)
    for (const name of [...root.list(folder)].sort(compareBytes)) {
      if (!name.endsWith('.list') || name.startsWith('.') || seen.has(name)) continue;
      seen.add(name);
      files.push(`${folder}/${name}`);
    }
  const variables = new Map([['APK_ARCH', arch]]);
  return files.flatMap((path) => {
    if (!root.readable(path)) return [];
    const text = byteString(root.read(path) ?? new Uint8Array());
    return text.split('\n').flatMap((line) => parseLine(line, { variables, arch, log, fromImage: true }));
  });
}

/** Repositories as --repo and the distros state them: the same lines. Throws CONFIG_INVALID. */
export function parseRepositories(lines: readonly string[], arch: string, log: Log): readonly Repository[] {
  const variables = new Map([['APK_ARCH', arch]]);
  return lines.flatMap((line) => {
    const found = parseLine(line.replaceAll('{arch}', arch), { variables, arch, log, fromImage: false });
    if (found.length === 0)
      throw new OnlayError('CONFIG_INVALID', `Cannot use repository "${line}": it is no apk repository`, {
        hint: 'give the URL that etc/apk/repositories would have, such as https://dl-cdn.alpinelinux.org/alpine/v3.20/main',
      });
    return found;
  });
}

interface LineContext {
  readonly variables: Map<string, string>;
  readonly arch: string;
  readonly log: Log;
  /** A path in it then means one inside the image. */
  readonly fromImage: boolean;
}

function parseLine(line: string, context: LineContext): readonly Repository[] {
  const { variables, log } = context;
  const words = line
    .replace(/^\s*#.*/, '')
    .replace(/\$\{([A-Za-z_]\w*)\}/g, (_, name: string) => variables.get(name) ?? '')
    .split(/[ \t\r]+/)
    .filter((word) => word !== '');
  if (words[0] === 'set') {
    const isDefault = words[1] === '-default';
    const [, name, value = ''] = /^([A-Za-z_]\w*)=(.*)$/.exec(words[isDefault ? 2 : 1] ?? '') ?? [];
    if (name !== undefined && !(isDefault && variables.has(name))) variables.set(name, value);
    return [];
  }
  let version = 'v2';
  let tag = '';
  let isIndex = false;
  for (;;) {
    const word = words[0] ?? '';
    if (word === 'v2' || word === 'v3') version = word;
    else if (word.startsWith('@') && word.length > 1) tag = word.slice(1);
    else if (word === 'ndx') isIndex = true;
    else break;
    words.shift();
  }
  const [url, ...components] = words;
  if (url === undefined || !/^(?:(?:https?|ftp|file):\/\/|\/)/i.test(url)) {
    if (url !== undefined)
      log.warn('A line of the apk repositories is not understood', { line: displayText(line) });
    return [];
  }
  if (version === 'v3' || url.endsWith('.adb')) {
    log.warn('A repository of apk version 3 is left out: only version 2 can be read', {
      repository: displayText(url),
    });
    return [];
  }
  const bases =
    components.length === 0 ? [url] : components.map((part) => `${url.replace(/\/+$/, '')}/${part}`);
  return bases.map((base) => makeRepository(base, { tag, isIndex }, context));
}

function makeRepository(
  stated: string,
  { tag, isIndex }: { readonly tag: string; readonly isIndex: boolean },
  { arch, fromImage }: LineContext,
): Repository {
  const url = stated.startsWith('/') ? `file://${stated}` : stated;
  const { url: plain, login } = splitLogin(url);
  const base = isIndex ? plain.replace(/[^/]*$/, '') : `${plain.replace(/\/+$/, '')}/`;
  return {
    name: `${tag === '' ? '' : `@${tag} `}${isIndex ? plain : base.slice(0, -1)}`,
    tag,
    indexUrl: isIndex ? plain : `${base}${arch}/APKINDEX.tar.gz`,
    packageBase: base,
    archFolders: !isIndex,
    access: {
      ...(login ? { credentials: login } : {}),
      ...(fromImage ? { hostFiles: false } : {}),
    },
  };
}

/** Where a package of the repository lies. */
export function packageUrl(
  repository: Repository,
  item: { readonly name: string; readonly version: string; readonly arch: string },
): string {
  const folder = repository.archFolders ? `${item.arch}/` : '';
  return `${repository.packageBase}${folder}${item.name}-${item.version}.apk`;
}
