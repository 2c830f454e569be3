// Scripts in rpm's Lua that the basic packages of Enterprise Linux 8 and 9 and of SUSE 15 have. They are known by the
// digest of their text (without comments, white space collapsed), as the packages' databases hold it; what each does is
// written beside it. Other Lua is reported.
import { hexDigest } from '../base/hash.ts';
import { byteString, fromByteString } from '../base/bytes.ts';
import type { RootView } from '../rootfs/root-view.ts';
import type { Effect, EffectContext, ScriptRun } from './effect.ts';
import { isUnchanged } from './unchanged.ts';

/** What a script may find to do. */
type Kind =
  /** bash: /etc/shells names both shells. */
  | 'shells'
  /** bash: /etc/shells is cleared when the package goes. */
  | 'no-shells'
  /** setup: new versions of account files are not left beside. */
  | 'rpmnew'
  /** glibc: libraries of directories for processor levels go before the new ones come. */
  | 'old-libraries'
  /** glibc: ld.so.conf, ldconfig, the cache of gconv. */
  | 'glibc'
  /** filesystem: directories and links that must be there. */
  | 'directories'
  /** SUSE's filesystem: old links to X11; var/run and var/lock. */
  | 'suse-directories'
  /** SUSE's system-user-root: account files that must be there. */
  | 'account-files'
  /** A check of the kernel. */
  | 'nothing';

const KNOWN: Readonly<Record<string, Kind>> = {
  '44d65958368f37206623dd8a60e557835316347fdaaa4e16504910509cf7f5fc': 'shells',
  '6a81c6e8b674f1a0bb365db16b708de5d70ca1e0860c38108ef8d43ef84ca693': 'no-shells',
  '0b5e102aca19aa33b6e9747307cadade27e85a300a809e78e7810e3306c361a4': 'no-shells',
  '4a04fb887678a307cb69edc59604f702c6ff16dcd140e0cce8c564a566d3c379': 'rpmnew',
  '0b433a3f3552cf903b33b70b45ead140c4902f02cfed4bc8a94a020b001cf68b': 'old-libraries',
  '757bf2a86ee4a7775ede115e5bd9f846ae7ae9f74ce91cece601ee5ee2fd8981': 'nothing',
  '1a0d9fc11a8695d28aad0b8742dc0f0aeb51ad2f9640eda956cddabc764a6ad6': 'glibc',
  '2a5bd6f915b6d1260f54634423bcf95755a7a3a089551f5207011fe355fa1bba': 'glibc',
  '59d323cd2c9c386b75dbbbb3c185888b6bb17f9a1b0e029c4a747766525e8b94': 'glibc',
  '732b2e118120d30fc731d2c1a351eee14717df6ac3196adb903c0ae9c6af9b97': 'directories',
  '71ff199a3766510afea452cebdc274ce22b3744812124615768a5cd3dd1d3c11': 'directories',
  '9d556945ff9abe92d1caa7339ba2b47904be70eb8dc316c6425a7357bdc57e08': 'suse-directories',
  '339f60f0379290ca69aea9f4b756f93ba8a2253ff5ba2953ac9d12253241c1c8': 'account-files',
};

export const rpmLua: Effect = {
  name: 'rpm-lua',
  families: ['rpm'],
  standsFor: (script, context) => {
    const kind = kindOf(script);
    return kind === 'shells' || (kind === 'rpmnew' && !context.draft.follow('usr/bin/newaliases'));
  },
  noOp: (script, context) => {
    const kind = kindOf(script);
    return kind !== undefined && changesNothing(kind, script, context) ? 'nothing to do' : undefined;
  },
  apply: (context) => {
    for (const script of context.scripts) {
      const kind = kindOf(script);
      if (kind === 'shells') addShells(context);
      if (kind === 'rpmnew') for (const path of RPMNEW) context.draft.remove(path);
    }
  },
};

/** A script that only runs ldconfig, or one of glibc that finds nothing else to do. */
export function luaRunsLdconfig(script: ScriptRun, context: EffectContext): boolean {
  if (script.interpreter !== '<lua>') return false;
  return LDCONFIG.test(shapeOf(script.body)) || (kindOf(script) === 'glibc' && glibcIsSettled(context));
}

const LDCONFIG =
  /^if posix\.access \("\/sbin\/ldconfig", "x"\) then local pid = posix\.fork \(\) if pid == 0 then posix\.exec \("\/sbin\/ldconfig"\) elseif pid ~= -1 then posix\.wait \(pid\) end end$|^(?:rpm\.execute|os\.execute|posix\.exec) ?\("(?:\/usr)?\/sbin\/ldconfig"\)$/;

function shapeOf(body: string): string {
  return body.replace(/--.*$/gm, '').replace(/\s+/g, ' ').trim();
}

function kindOf({ interpreter, body }: ScriptRun): Kind | undefined {
  if (interpreter !== '<lua>') return undefined;
  const digest = hexDigest('sha256', fromByteString(shapeOf(body)));
  return Object.hasOwn(KNOWN, digest) ? KNOWN[digest] : undefined;
}

const RPMNEW = ['passwd', 'shadow', 'group', 'gshadow'].map((name) => `etc/${name}.rpmnew`);

function changesNothing(kind: Kind, script: ScriptRun, { draft, packages }: EffectContext): boolean {
  const { base } = draft;
  switch (kind) {
    case 'nothing':
      return true;
    case 'shells':
      return missingShells(draft).length === 0;
    case 'no-shells':
      return packages.some(({ name, removed }) => name === script.package && removed === undefined);
    case 'rpmnew':
      return !draft.follow('usr/bin/newaliases') && !RPMNEW.some((path) => draft.lookup(path));
    case 'old-libraries':
      return !hasOldLibraries(base, levelDirectories(base));
    case 'directories':
      return (
        base.lookup('media')?.type !== 'symlink' &&
        [...script.body.matchAll(/posix\.(?:mkdir|symlink)\((?:"[^"]*", )?"([^"]+)"\)/g)].every(
          ([, path]) => base.lookup(path as string) !== undefined,
        )
      );
    case 'suse-directories':
      return (
        !['usr/include/X11', 'usr/lib/X11'].some((path) => base.lookup(path)) &&
        ['var/run', 'var/lock'].every((path) => base.lookup(path)?.type === 'symlink')
      );
    case 'account-files':
      return ['etc/passwd', 'etc/group', 'etc/shadow'].every((path) => base.follow(path));
    case 'glibc':
      return false;
    default:
      return kind satisfies never;
  }
}

const GLIBC_LIBRARY =
  /^lib(?:anl|BrokenLocale|c|dl|m|mvec|nss_(?:compat|db|dns|files|hesiod)|pthread|resolv|rt|SegFault|thread_db|util)(?:-[0-9.]+\.so|\.so(?:\.[0-9]+)?)$/;

function levelDirectories(root: RootView): readonly string[] {
  const hwcaps = 'usr/lib64/glibc-hwcaps';
  return [
    ...['i686', 'i686/nosegneg', 'power6', 'power7', 'power8', 'power9', 'tls'].map(
      (name) => `usr/lib64/${name}`,
    ),
    ...root.list(hwcaps).map((name) => `${hwcaps}/${name}`),
  ];
}

function hasOldLibraries(root: RootView, directories: readonly string[]): boolean {
  return directories.some((path) => root.list(path).some((name) => GLIBC_LIBRARY.test(name)));
}

/** Nothing but ldconfig is left to do: no platform directories, ld.so.conf is right, gconv is as it was or has no cache. */
function glibcIsSettled({ draft }: EffectContext): boolean {
  const configuration = 'etc/ld.so.conf';
  const isConfigured =
    !draft.follow(configuration) ||
    (draft.readable(configuration) && linesOf(draft, configuration).includes('include ld.so.conf.d/*.conf'));
  const gconv = 'usr/lib64/gconv';
  return (
    isConfigured &&
    !hasOldLibraries(
      draft,
      levelDirectories(draft).filter((path) => !path.includes('hwcaps')),
    ) &&
    (!draft.follow(`${gconv}/gconv-modules.cache`) || isUnchanged(draft, gconv))
  );
}

function linesOf(root: RootView, path: string): readonly string[] {
  return byteString(root.read(path) ?? new Uint8Array()).split('\n');
}

function missingShells(root: RootView): readonly string[] {
  const lines = root.readable('etc/shells') ? linesOf(root, 'etc/shells') : [];
  return ['/bin/sh', '/bin/bash'].filter((shell) => !lines.includes(shell));
}

function addShells({ draft, epoch }: EffectContext): void {
  const missing = missingShells(draft);
  const node = draft.follow('etc/shells');
  if (missing.length === 0 || (node && !draft.readable('etc/shells'))) return;
  const { mode, uid, gid } = node ?? { mode: 0o644, uid: 0, gid: 0 };
  const text =
    byteString(draft.read('etc/shells') ?? new Uint8Array()) + missing.map((shell) => `${shell}\n`).join('');
  draft.put(node?.path ?? 'etc/shells', {
    type: 'file',
    mode,
    uid,
    gid,
    mtime: epoch,
    content: fromByteString(text),
  });
}
