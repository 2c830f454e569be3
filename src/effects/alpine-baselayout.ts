// What the scripts of alpine-baselayout do on an upgrade: the group shadow and its ownership of etc/shadow, a link of
// the coloured prompt, the suffix of files in etc/modprobe.d. Its moves of real directories var/run, var/lock and
// var/spool/mail, which images do not have, are left to the real script and reported.
import { byteString, fromByteString } from '../base/bytes.ts';
import type { Draft } from '../rootfs/draft.ts';
import type { Effect, EffectContext, ScriptRun } from './effect.ts';
import { scriptDigest } from './known-scripts.ts';

const SCRIPTS = ['pre-install', 'post-install', 'pre-upgrade', 'post-upgrade'];
const MOVED = ['var/run', 'var/lock', 'var/spool/mail'] as const;
const SHADOW_GID = 42;

export const alpineBaselayout: Effect = {
  name: 'alpine-baselayout',
  families: ['apk'],
  standsFor: (script, { draft }) =>
    isOurs(script) &&
    KNOWN.has(scriptDigest(script.body)) &&
    // with OpenRC the scripts of old branches ask whether this is a VServer
    (!script.body.includes('/sbin/rc') || draft.lookup('sbin/rc') === undefined) &&
    !MOVED.some((path) => script.body.includes(path) && draft.base.lookup(path)?.type === 'directory'),
  apply: update,
};

function isOurs({ package: owner, script }: ScriptRun): boolean {
  return owner === 'alpine-baselayout' && SCRIPTS.includes(script);
}

function update(context: EffectContext): void {
  const { draft } = context;
  const kinds = new Set(context.scripts.filter(isOurs).map(({ script }) => script));
  if (kinds.size === 0) return;
  if (kinds.has('pre-upgrade')) addSuffixes(draft);
  addShadowGroup(draft, context.epoch);
  if (!kinds.has('post-upgrade') && !kinds.has('post-install')) return;
  if (draft.lookup('etc/profile.d/color_prompt.sh')?.link === 'color_prompt')
    draft.put('etc/profile.d/color_prompt.sh', {
      type: 'symlink',
      mode: 0o777,
      uid: 0,
      gid: 0,
      mtime: context.epoch,
      link: 'color_prompt.sh.disabled',
    });
  const gid = groupId(draft, 'shadow');
  for (const path of ['etc/shadow', 'etc/shadow-'])
    if (gid !== undefined && draft.lookup(path)?.type === 'file') draft.setAttributes(path, { uid: 0, gid });
  // up to Alpine 3.19
  const restricts = context.scripts.some(
    (script) => isOurs(script) && script.body.includes('chmod 640 /etc/shadow'),
  );
  if (restricts && draft.lookup('etc/shadow')?.type === 'file')
    draft.setAttributes('etc/shadow', { mode: 0o640 });
}

/** Files without a dot in etc/modprobe.d get .conf, without which they are not read. */
function addSuffixes(draft: Draft): void {
  for (const name of draft.base.list('etc/modprobe.d')) {
    const path = `etc/modprobe.d/${name}`;
    const node = draft.lookup(path);
    if (name.includes('.') || node?.type !== 'file' || !draft.readable(path)) continue;
    const { mode, uid, gid, mtime, xattrs } = node;
    draft.put(`${path}.conf`, {
      type: 'file',
      mode,
      uid,
      gid,
      mtime,
      xattrs,
      content: draft.read(path) ?? new Uint8Array(),
    });
    draft.remove(path);
  }
}

/** `addgroup -S -g 42 shadow`, which fails without harm where the name or the number is taken. */
function addShadowGroup(draft: Draft, epoch: number): void {
  const node = draft.follow('etc/group');
  if (!node || !draft.readable('etc/group')) return;
  const text = byteString(draft.read('etc/group') ?? new Uint8Array());
  const lines = text.split('\n').map((line) => line.split(':'));
  if (lines.some(([name, , gid]) => name === 'shadow' || gid === String(SHADOW_GID))) return;
  const { mode, uid, gid } = node;
  const content = fromByteString(
    `${text.endsWith('\n') || text === '' ? text : `${text}\n`}shadow:x:${SHADOW_GID}:\n`,
  );
  draft.put(node.path, { type: 'file', mode, uid, gid, mtime: epoch, content });
}

function groupId(draft: Draft, name: string): number | undefined {
  if (!draft.readable('etc/group')) return undefined;
  for (const line of byteString(draft.read('etc/group') ?? new Uint8Array()).split('\n')) {
    const [group, , id = ''] = line.split(':');
    if (group === name && /^\d{1,10}$/.test(id)) return Number(id);
  }
  return undefined;
}

/** Digests of the scripts of alpine-baselayout in Alpine 3.17 to 3.20. */
const KNOWN: ReadonlySet<string> = new Set([
  // pre-install
  '146255bb796fb91a50296cc6e4734ee300144dc9f06f0fb2d2be6267bf55123a',
  // post-install and post-upgrade up to 3.19, and of 3.20
  'e57b44693e17c021ad2ce5349e694bf5cf23e59931e6ed632faa387a8ff0a160',
  'b54845667630d44dc7148593387a4a9a32041d451434ce7292cf5f67d6bdf9d8',
  // pre-upgrade up to 3.19, and of 3.20
  'ca12a3882f84ba8dc6a1f44d80e36daa2aeb3862063c44b9cd43dbdf40192ac7',
  'bdee0fe624c9c90e664c9c73de3359b7146b18e68cc12c55aa0c2b92cb974a9d',
]);
