// What the scripts of Alpine's busybox and busybox-extras do: `--install -s` adds the links that are missing and never
// replaces anything; post-upgrade takes away links to /bin/busybox that are no applets any more. Not done: the system
// user klogd, which the post-upgrade of 3.20 adds though fresh images of 3.20 have none.
import { byteString } from '../base/bytes.ts';
import type { Draft } from '../rootfs/draft.ts';
import type { RootView } from '../rootfs/root-view.ts';
import { readApplets } from './busybox-applets.ts';
import type { Effect, EffectContext, ScriptRun } from './effect.ts';
import { scriptDigest } from './known-scripts.ts';

interface Program {
  readonly package: string;
  /** Where links point. */
  readonly path: string;
  /** The package's own list of links, one a line (Alpine 3.18 and later). */
  readonly list: string;
}

const PROGRAMS: readonly Program[] = [
  { package: 'busybox', path: 'bin/busybox', list: 'etc/busybox-paths.d/busybox' },
  { package: 'busybox-extras', path: 'bin/busybox-extras', list: 'etc/busybox-paths.d/busybox-extras' },
];
const LINK_FOLDERS = ['bin', 'sbin', 'usr/bin', 'usr/sbin'] as const;
const FACT = 'busybox-applets';
const MAX_PROGRAM_SIZE = 16 * 1024 * 1024;

export const busyboxLinks: Effect = {
  name: 'busybox-links',
  families: ['apk'],
  standsFor: (script, context) =>
    isOurs(script) &&
    KNOWN.has(scriptDigest(script.body)) &&
    // bbsuid of old branches has links of its own; depmod runs for kernel modules only
    context.draft.lookup('bin/bbsuid') === undefined &&
    context.draft.list('lib/modules').length === 0 &&
    installing(context).every((program) => appletsOf(context.draft, program) !== undefined),
  apply: update,
  inspectors: [
    {
      name: FACT,
      wants: (path, size) => size <= MAX_PROGRAM_SIZE && /^(?:usr\/)?bin\/busybox(?:-extras)?$/.test(path),
      inspect: (content) => readApplets(content),
    },
  ],
};

const SCRIPTS = ['post-install', 'post-upgrade', 'trigger'];

function isOurs({ package: owner, script }: Pick<ScriptRun, 'package' | 'script'>): boolean {
  return PROGRAMS.some((program) => program.package === owner) && SCRIPTS.includes(script);
}

/** A script of one of them installs the links of that one, the trigger of busybox those of both. */
function installing({ scripts, draft }: EffectContext): readonly Program[] {
  const runs = scripts.filter(isOurs);
  const triggered = runs.some(({ package: owner, script }) => owner === 'busybox' && script === 'trigger');
  return PROGRAMS.filter(
    (program) =>
      (triggered || runs.some(({ package: owner }) => owner === program.package)) &&
      draft.follow(program.path)?.type === 'file',
  );
}

function update(context: EffectContext): void {
  const { draft, scripts, epoch } = context;
  const programs = installing(context);
  const [busybox] = PROGRAMS as readonly [Program];
  if (
    scripts.some(({ package: owner, script }) => owner === 'busybox' && script === 'post-upgrade') &&
    programs.includes(busybox)
  )
    removeStaleLinks(draft, busybox);
  for (const program of programs) {
    const applets = appletsOf(draft, program);
    if (!applets)
      context.warn(`the links of /${program.path} were not renewed: its list of applets cannot be read`);
    for (const path of applets ?? [])
      if (draft.lookup(path) === undefined)
        draft.put(path, {
          type: 'symlink',
          mode: 0o777,
          uid: 0,
          gid: 0,
          mtime: epoch,
          link: `/${program.path}`,
        });
  }
}

function removeStaleLinks(draft: Draft, program: Program): void {
  const applets = appletsOf(draft, program);
  if (!applets) return;
  const known = new Set(applets);
  for (const folder of LINK_FOLDERS) {
    // a folder that is a link itself is not searched
    if (draft.lookup(folder)?.type !== 'directory') continue;
    for (const name of draft.list(folder)) {
      const path = `${folder}/${name}`;
      const node = draft.lookup(path);
      if (node?.type === 'symlink' && node.link === `/${program.path}` && !known.has(path))
        draft.remove(path);
    }
  }
}

/** Paths of the links a program installs: as it says itself, else as its package lists them. */
function appletsOf(root: RootView, { path, list }: Program): readonly string[] | undefined {
  const fact = root.follow(path)?.facts.get(FACT);
  const own = Array.isArray(fact)
    ? fact.filter((item): item is string => typeof item === 'string')
    : undefined;
  const applets = own ?? (root.readable(path) ? readApplets(root.read(path) ?? new Uint8Array()) : undefined);
  if (applets?.every((item) => LISTED.test(item))) return applets;
  if (!root.readable(list)) return undefined;
  const lines = byteString(root.read(list) ?? new Uint8Array()).split('\n');
  const paths = lines.map((line) => line.trim().replace(/^\/+/, '')).filter((line) => line !== '');
  return paths.length > 0 && paths.every((item) => LISTED.test(item)) ? paths : undefined;
}

const LISTED = /^(?:(?:bin|sbin|usr\/bin|usr\/sbin)\/)?[[\w.-]+$/;

/** Digests of the scripts of busybox in Alpine 3.17 to 3.20. */
const KNOWN: ReadonlySet<string> = new Set([
  // post-install up to 3.19, and of 3.20
  'ce491959347742f442894fc7f0b40d2784947c9c8ae563bc4ae7f4cf2ad078b8',
  '6e8ca862b3e818bb95dc615fd5f06c4464b4bfee28ec2168cfeb83a17cbba6a4',
  // post-upgrade up to 3.19, and of 3.20
  '3a247a3c0058878e9508a76951fb62802568367e92e4f35c847bbc86a50e68b3',
  '05b1a4f1fb0703cdf5a03f4a2a03e22795ca65e4de4c831e567b8aad6f257ddf',
  // trigger
  '994248e71ff6ccf13b1529faf08174b460755ae210dd70e5c9785c2142f99d86',
]);
