// Commands that set modes and owners, make directories and symlinks: mkdir, chmod, chown, chgrp, ln -s, setcap. Where
// they would change something and everything about it is known, the change can be made.
// https://pubs.opengroup.org/onlinepubs/9799919799/utilities/
import type { Draft } from '../../rootfs/draft.ts';
import type { RootNode } from '../../rootfs/root-view.ts';
import { isKnown } from '../shell/unknown.ts';
import { groupId, userEntry, userId } from './accounts-file.ts';
import { answer, baseNameOf, changes, hasFlag, parseOptions, valueOf, WOULD_CHANGE } from './command.ts';
import type { Call, Command, CommandTable, Outcome } from './command.ts';
import { changeMode } from './mode.ts';
import { eachPath } from './paths.ts';

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Ids of names or numbers; undefined when the image does not have them. */
export function ownerOf(draft: Draft, user: string, group: string): Owner | undefined {
  const [uid, gid] = [userId(draft, user), groupId(draft, group)];
  return uid === undefined || gid === undefined ? undefined : { uid, gid };
}

const mkdir: Command = (call) => {
  const options = parseOptions(call.args, 'm mode');
  const { draft, context } = call.scene;
  const given = valueOf(options, 'm', 'mode');
  const mode = given === undefined ? 0o755 : changeMode(given, 0o777, true);
  const parents = hasFlag(options, 'p', 'parents');
  return eachPath(call, options.operands, (path) => {
    const node = draft.follow(path);
    if (node?.type === 'directory') return answer(parents);
    if (node ?? draft.lookup(path)) return undefined;
    if (!parents && draft.follow(`${path}/..`)?.type !== 'directory') return undefined;
    if (mode === undefined) return WOULD_CHANGE;
    return changes('files', () =>
      draft.put(draft.resolve(path), { type: 'directory', mode, uid: 0, gid: 0, mtime: context.epoch }),
    );
  });
};

/** `install -d`: directories with these attributes. */
export function makeDirectories(
  call: Call,
  paths: readonly string[],
  wanted: Owner & { readonly mode: number },
): Outcome {
  const { draft, context } = call.scene;
  return eachPath(call, paths, (path) => {
    const node = draft.follow(path);
    if (node && node.type !== 'directory') return undefined;
    if (node?.mode === wanted.mode && node.uid === wanted.uid && node.gid === wanted.gid) return answer(true);
    const target = node?.path ?? draft.resolve(path);
    return changes('files', () => draft.put(target, { type: 'directory', ...wanted, mtime: context.epoch }));
  });
}

const chmod: Command = (call) => {
  // a mode like "-x" looks like an option
  const [mode = '', ...rest] = call.args.filter((arg) => !/^(?:-[cfvR]+|--[a-z-]+)$/.test(arg));
  const recursive = call.args.some((arg) => /^-[cfv]*R/.test(arg) || arg === '--recursive');
  if (!isKnown(mode)) return WOULD_CHANGE;
  return setAttributes(call, rest, recursive, (node) => ({
    ...node,
    mode: changeMode(mode, node.mode, node.type === 'directory'),
  }));
};

const chown: Command = (call) => {
  const options = parseOptions(call.args, 'from reference');
  const [owner = '', ...rest] = options.operands;
  if (hasFlag(options, 'from', 'reference') || !isKnown(owner)) return WOULD_CHANGE;
  const { draft } = call.scene;
  const [user = '', group] = call.name === 'chgrp' ? ['', owner] : owner.split(/[:.]/);
  const uid = user === '' ? undefined : (userId(draft, user) ?? NaN);
  const login = user === '' ? undefined : userEntry(draft, user)?.gid;
  const gid = group === undefined ? undefined : group === '' ? login : (groupId(draft, group) ?? NaN);
  if (Number.isNaN(uid) || Number.isNaN(gid)) return answer(false);
  return setAttributes(call, rest, hasFlag(options, 'R', 'recursive'), (node) => ({
    mode: node.mode,
    uid: uid ?? node.uid,
    gid: gid ?? node.gid,
  }));
};

function setAttributes(
  call: Call,
  paths: readonly string[],
  recursive: boolean,
  wanted: (node: RootNode) => Owner & { readonly mode: number | undefined },
): Outcome {
  const { draft } = call.scene;
  return eachPath(call, paths, (path) => {
    const start = call.args.includes('-h') ? draft.lookup(path) : draft.follow(path);
    if (!start) return undefined;
    const applies: (() => void)[] = [];
    for (const node of recursive ? draft.walk(start.path) : [start]) {
      if (node.type === 'symlink' && node !== start) continue;
      const { mode, uid, gid } = wanted(node);
      if (mode === undefined) return WOULD_CHANGE;
      if (mode === node.mode && uid === node.uid && gid === node.gid) continue;
      // a layer holds files with their content only
      if (node.type === 'file' && !draft.readable(node.path)) return WOULD_CHANGE;
      applies.push(() => draft.setAttributes(node.path, { mode, uid, gid }));
    }
    if (applies.length === 0) return answer(true);
    return changes('files', () => applies.forEach((apply) => apply()));
  });
}

const ln: Command = (call) => {
  const options = parseOptions(call.args, 't target-directory S suffix');
  const { draft, context } = call.scene;
  const [target = '', name = baseNameOf(target), ...others] = options.operands;
  const isOdd = hasFlag(options, 't', 'r', 'relative', 'b', 'backup') || others.length > 0;
  if (isOdd || !isKnown(target)) return WOULD_CHANGE;
  return eachPath(call, [name], (given) => {
    const exact = hasFlag(options, 'n', 'no-dereference', 'T', 'no-target-directory');
    const directory = exact ? draft.lookup(given) : draft.follow(given);
    const isInside = directory?.type === 'directory' && !hasFlag(options, 'T', 'no-target-directory');
    const path = draft.resolve(isInside ? `${given}/${baseNameOf(target)}` : given);
    const existing = draft.lookup(path);
    const symbolic = hasFlag(options, 's', 'symbolic');
    if (symbolic && existing?.type === 'symlink' && existing.link === target) return answer(true);
    if (existing && (!hasFlag(options, 'f', 'force') || existing.type === 'directory')) return undefined;
    if (existing || !symbolic) return WOULD_CHANGE;
    return changes('files', () =>
      draft.put(path, { type: 'symlink', mode: 0o777, uid: 0, gid: 0, mtime: context.epoch, link: target }),
    );
  });
};

/** Capabilities are carried over when a package is unpacked. */
const setcap: Command = (call) => {
  const [, ...paths] = call.args.filter((arg) => !arg.startsWith('-'));
  return eachPath(call, paths, (path) =>
    call.scene.draft.follow(path)?.xattrs.has('security.capability') === true ? answer(true) : WOULD_CHANGE,
  );
};

export const ATTRIBUTE_COMMANDS: CommandTable = { mkdir, chmod, chown, chgrp: chown, ln, setcap };
