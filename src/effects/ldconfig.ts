// What ldconfig does: /etc/ld.so.cache from the libraries in the directories of ld.so.conf, and the links sonames need.
// Stands for the trigger of libc-bin (dpkg) and for scripts that only run ldconfig (rpm, apk with glibc). glibc
// elf/ldconfig.c; layouts in ld-so-cache.ts.
import type { Draft } from '../rootfs/draft.ts';
import type { RootNode, RootView } from '../rootfs/root-view.ts';
import { byteString } from '../base/bytes.ts';
import type { Effect, EffectContext } from './effect.ts';
import { luaRunsLdconfig } from './rpm-lua.ts';
import { readElf } from './elf.ts';
import type { ElfFacts } from './elf.ts';
import { compareLibraries, readLayout, writeCache } from './ld-so-cache.ts';
import type { CacheEntry, CacheLayout } from './ld-so-cache.ts';
import { expandGlob } from './glob.ts';

const CACHE = 'etc/ld.so.cache';
const LIBRARY = /(?:^|\/)(?:lib|ld-)[^/]*\.so(?:[^/]*)?$|(?:^|\/)ld\.so[^/]*$/;
const FOR_LIBC6 = 3;
/** A cache of 100 000 libraries has about 10 MB. */
const MAX_CAPTURE = 16 * 1024 * 1024;

export const ldconfig: Effect = {
  name: 'ldconfig',
  families: ['dpkg', 'rpm', 'apk'],
  standsFor: luaRunsLdconfig,
  covers: ([program, ...args]) =>
    program === 'ldconfig' && !/-(?!X |v |r \/ |-verbose )/.test(`${args.join(' ')} `),
  inspectors: [
    {
      name: 'elf',
      wants: (path, size) => LIBRARY.test(path) && size <= 256 * 1024 * 1024,
      inspect: (content) => readElf(content),
    },
  ],
  captures: (path, size) =>
    (path === CACHE || path === 'etc/ld.so.conf' || path.startsWith('etc/ld.so.conf.d/')) &&
    size <= MAX_CAPTURE,
  apply: updateCache,
};

function updateCache(context: EffectContext): void {
  const { draft } = context;
  const old = draft.readable(CACHE) ? draft.read(CACHE) : undefined;
  if (old === undefined) return;
  const layout = readLayout(old);
  if (!layout) {
    context.warn(`${CACHE} has a layout that is not known; it was left as it is`);
    return;
  }
  const triplet = TRIPLETS[context.imageArch];
  const before = scan(draft.base, triplet);
  const after = scan(draft, triplet);
  const next = { ...layout, generator: newGenerator(layout, context), endianFlag: newFlag(layout, context) };
  const sameLayout = next.generator === layout.generator && next.endianFlag === layout.endianFlag;
  if (sameLayout && sameEntries(before.entries, after.entries)) return;
  for (const { path, target } of after.missingLinks) link(draft, path, target, context.epoch);
  for (const path of after.dangling) draft.remove(path);
  const cache = writeCache(after.entries, next);
  draft.put(CACHE, { type: 'file', mode: 0o644, uid: 0, gid: 0, mtime: context.epoch, content: cache });
}

/** The generator names the glibc that wrote the cache: Debian's text holds the version of libc-bin. */
function newGenerator(layout: CacheLayout, { packages }: EffectContext): string | undefined {
  const libc = packages.find(({ name, removed }) => name === 'libc-bin' && removed === undefined);
  return libc?.from === undefined ? layout.generator : layout.generator?.replace(libc.from, () => libc.to);
}

/** glibc states the byte order since 2.33, and fixed versions of 2.31 do as well. */
function newFlag(
  { endianFlag, bigEndian }: CacheLayout,
  { packages, compareVersions }: EffectContext,
): number {
  const libc = packages.find(({ name, removed }) => name === 'libc-bin' && removed === undefined);
  if (endianFlag !== 0 || !libc || compareVersions(libc.to, '2.31') < 0) return endianFlag;
  return bigEndian ? 3 : 2;
}

interface Libraries {
  readonly entries: readonly CacheEntry[];
  readonly missingLinks: readonly { readonly path: string; readonly target: string }[];
  readonly dangling: readonly string[];
}

interface Found {
  readonly key: string;
  readonly name: string;
  readonly isLink: boolean;
  readonly elf: ElfFacts;
}

function scan(root: RootView, triplet: string | undefined): Libraries {
  const entries: CacheEntry[] = [];
  const missingLinks: { path: string; target: string }[] = [];
  const dangling: string[] = [];
  for (const { path, hwcaps } of directories(root, triplet)) {
    const found = new Map<string, Found>();
    for (const name of root.list(path)) {
      if (!LIBRARY.test(name)) continue;
      const node = root.lookup(`${path}/${name}`);
      const file = root.follow(`${path}/${name}`);
      if (node?.type === 'symlink' && !file && name.includes('.so.')) dangling.push(`${path}/${name}`);
      const elf = file?.type === 'file' ? factsOf(root, file) : undefined;
      if (!elf || !node) continue;
      const soname = elf.soname === '' ? name : elf.soname;
      // a link counts as one if it is the soname itself or the development link (libx.so for libx.so.1)
      const isLink =
        node.type === 'symlink' && (name === soname || (name.endsWith('.so') && soname.startsWith(name)));
      const candidate = { key: isLink ? name : soname, name, isLink, elf };
      const known = found.get(`${candidate.key}\n${elf.machine}`);
      if (!known || better(candidate, known)) found.set(`${candidate.key}\n${elf.machine}`, candidate);
    }
    for (const { key, name, isLink, elf } of found.values()) {
      const file = hwcaps === '' ? key : name;
      if (hwcaps === '' && !isLink && key !== name && needsLink(root, `${path}/${key}`, `${path}/${name}`))
        missingLinks.push({ path: `${path}/${key}`, target: name });
      entries.push({
        key,
        path: `${path}/${file}`,
        flags: elf.machine | FOR_LIBC6,
        osVersion: elf.abi,
        hwcaps,
        isaLevel: hwcaps === '' ? 0 : elf.isaLevel,
      });
    }
  }
  return { entries, missingLinks, dangling };
}

/** The link of a soname is made, or turned to the best library; a file of that name stays. */
function needsLink(root: RootView, link: string, library: string): boolean {
  const node = root.lookup(link);
  if (!node) return true;
  return node.type === 'symlink' && root.follow(link)?.inode !== root.follow(library)?.inode;
}

function better(candidate: Found, known: Found): boolean {
  if (candidate.isLink !== known.isLink) return !candidate.isLink;
  return compareLibraries(known.name, candidate.name) < 0;
}

function factsOf(root: RootView, node: RootNode): ElfFacts | undefined {
  const facts = node.facts.get('elf');
  if (facts !== undefined) return facts as ElfFacts;
  const content = root.readable(node.path) ? root.read(node.path) : undefined;
  return content === undefined ? undefined : readElf(content);
}

const TRIPLETS: Readonly<Record<string, string>> = {
  amd64: 'x86_64-linux-gnu',
  '386': 'i386-linux-gnu',
  arm64: 'aarch64-linux-gnu',
  arm: 'arm-linux-gnueabihf',
  ppc64le: 'powerpc64le-linux-gnu',
  riscv64: 'riscv64-linux-gnu',
  s390x: 's390x-linux-gnu',
};

/** Absolute directories in search order; of several spellings of one directory the first counts. */
function directories(
  root: RootView,
  triplet: string | undefined,
): readonly { path: string; hwcaps: string }[] {
  const multiarch =
    triplet !== undefined && (root.follow(`lib/${triplet}`) ?? root.follow(`usr/lib/${triplet}`));
  const system = multiarch ? [`/lib/${triplet}`, `/usr/lib/${triplet}`] : ['/lib64', '/usr/lib64'];
  const seen = new Set<string>();
  const found: { path: string; hwcaps: string }[] = [];
  const add = (path: string, hwcaps: string): void => {
    const node = root.follow(path);
    if (node?.type !== 'directory' || seen.has(node.path)) return;
    seen.add(node.path);
    found.push({ path, hwcaps });
    if (hwcaps !== '') return;
    for (const name of root.list(`${path}/glibc-hwcaps`)) add(`${path}/glibc-hwcaps/${name}`, name);
  };
  for (const path of [...configured(root, '/etc/ld.so.conf', 0), ...system, '/lib', '/usr/lib'])
    add(path, '');
  return found;
}

/** ld.so.conf: a directory on each line, perhaps with `=TYPE`; `include` takes globs; '#' starts a comment. */
function configured(root: RootView, file: string, depth: number): readonly string[] {
  if (depth > 10 || !root.readable(file)) return [];
  const found: string[] = [];
  for (const raw of byteString(root.read(file) ?? new Uint8Array()).split('\n')) {
    const line = raw.replace(/#.*/, '').trim();
    const include = /^include\s+(.*)$/.exec(line)?.[1];
    if (include !== undefined) {
      for (const pattern of include.split(/\s+/)) {
        const absolute = pattern.startsWith('/') ? pattern : file.replace(/[^/]*$/, '') + pattern;
        for (const path of expandGlob(root, absolute)) found.push(...configured(root, path, depth + 1));
      }
    } else if (line.startsWith('/')) {
      const path = line.replace(/\s*=[^/]*$/, '');
      found.push(path.length > 1 ? path.replace(/\/+$/, '') : path);
    }
  }
  return found;
}

function sameEntries(a: readonly CacheEntry[], b: readonly CacheEntry[]): boolean {
  return a.length === b.length && JSON.stringify(a) === JSON.stringify(b);
}

function link(draft: Draft, path: string, target: string, mtime: number): void {
  draft.put(path, { type: 'symlink', mode: 0o777, uid: 0, gid: 0, mtime, link: target });
}
