// Commands that change files: rm, rmdir, mkdir, chmod, chown, chgrp, ln, touch, cp, mv, install, and redirections to
// files. Each is compared with the image as it will be; where it would change something and everything about it is
// known, the change is made. https://pubs.opengroup.org/onlinepubs/9799919799/utilities/
import { fromByteString } from '../../base/bytes.ts';
import type { NewNode } from '../../rootfs/change-set.ts';
import type { Draft } from '../../rootfs/draft.ts';
import { parentOf } from '../../rootfs/path.ts';
import type { RootNode } from '../../rootfs/root-view.ts';
import { isKnown } from '../shell/unknown.ts';
import { groupId, userId, userEntry } from './accounts-file.ts';
import {
  absolute,
  answer,
  baseNameOf,
  changes,
  followed,
  hasFlag,
  holds,
  isObscure,
  isTransient,
  NOTHING,
  parseOptions,
  valueOf,
  WOULD_CHANGE,
} from './command.ts';
import type { Call, Command, CommandTable, Outcome, Scene } from './command.ts';
import { changeMode } from './mode.ts';

/** Judges each path by itself and joins the outcomes. `undefined`: it fails without a change. */
function eachPath(
  call: Call,
  operands: readonly string[],
  judge: (path: string) => Outcome | undefined,
): Outcome {
  const applies: (() => void)[] = [];
  let failed = false;
  for (const operand of operands) {
    const path = absolute(operand, call.directory);
    if (isTransient(path)) continue;
    if (isObscure(path)) return WOULD_CHANGE;
    const outcome = judge(path);
    failed ||= outcome === undefined || outcome.status === false;
    if (outcome?.change === 'unknown') return WOULD_CHANGE;
    if (outcome?.change) applies.push(outcome.change.apply);
  }
  if (applies.length === 0) return answer(!failed);
  return changes('files', () => applies.forEach((apply) => apply()));
}

const rm: Command = (call) => {
  const options = parseOptions(call.args);
  const recursive = hasFlag(options, 'r', 'R', 'recursive');
  const { draft } = call.scene;
  return eachPath(call, options.operands, (path) => {
    const node = draft.lookup(path);
    if (!node || isShipped(path, call.scene)) return answer(hasFlag(options, 'f', 'force'));
    if (node.path === '') return WOULD_CHANGE;
    if (node.type === 'directory' && !recursive) return undefined;
    return changes('files', () => draft.remove(node.path));
  });
};

/** What a script removes before the new files come, and they bring anew. */
function isShipped(path: string, { phase, context, script, draft }: Scene): boolean {
  if (phase !== 'before' || context.family !== 'dpkg') return false;
  for (const name of [script.package, `${script.package}:${script.arch ?? ''}`]) {
    const list = `var/lib/dpkg/info/${name}.list`;
    if (!draft.readable(list)) continue;
    const lines = Buffer.from(draft.read(list) ?? []).latin1Slice();
    if (`\n${lines}`.includes(`\n${path}\n`)) return true;
  }
  return false;
}

const rmdir: Command = (call) => {
  const options = parseOptions(call.args);
  const { draft } = call.scene;
  return eachPath(call, options.operands, (path) => {
    const node = draft.lookup(path);
    if (node?.type !== 'directory' || draft.list(node.path).length > 0)
      return answer(hasFlag(options, 'ignore-fail-on-non-empty'));
    return changes('files', () => {
      let current = node.path;
      do {
        draft.remove(current);
        current = parentOf(current);
      } while (hasFlag(options, 'p', 'parents') && current !== '' && draft.list(current).length === 0);
    });
  });
};

const mkdir: Command = (call) => {
  const options = parseOptions(call.args, 'm mode');
  return makeDirectories(call, options.operands, {
    mode: valueOf(options, 'm', 'mode'),
    parents: hasFlag(options, 'p', 'parents'),
  });
};

function makeDirectories(
  call: Call,
  paths: readonly string[],
  { mode, parents }: { readonly mode: string | undefined; readonly parents: boolean },
): Outcome {
  const { draft, context } = call.scene;
  const bits = mode === undefined ? 0o755 : changeMode(mode, 0o777, true);
  return eachPath(call, paths, (path) => {
    const node = draft.follow(path);
    if (node?.type === 'directory') return answer(parents);
    if (node ?? draft.lookup(path)) return undefined;
    if (!parents && draft.follow(`${path}/..`)?.type !== 'directory') return undefined;
    if (bits === undefined) return WOULD_CHANGE;
    return changes('files', () =>
      draft.put(draft.resolve(path), { type: 'directory', mode: bits, uid: 0, gid: 0, mtime: context.epoch }),
    );
  });
}

const chmod: Command = (call) => {
  // a mode like "-x" looks like an option
  const [mode = '', ...rest] = call.args.filter((arg) => !/^(?:-[cfvR]+|--[a-z-]+)$/.test(arg));
  const recursive = call.args.some((arg) => /^-[cfv]*R/.test(arg) || arg === '--recursive');
  if (!isKnown(mode)) return WOULD_CHANGE;
  return setAttributes(call, rest, recursive, (node) => ({
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
    uid: uid ?? node.uid,
    gid: gid ?? node.gid,
  }));
};

function setAttributes(
  call: Call,
  paths: readonly string[],
  recursive: boolean,
  wanted: (node: RootNode) => { mode?: number | undefined; uid?: number; gid?: number },
): Outcome {
  const { draft } = call.scene;
  return eachPath(call, paths, (path) => {
    const start = call.args.includes('-h') ? draft.lookup(path) : draft.follow(path);
    if (!start) return undefined;
    const applies: (() => void)[] = [];
    for (const node of recursive ? draft.walk(start.path) : [start]) {
      if (node.type === 'symlink' && node !== start) continue;
      const { mode = node.mode, uid = node.uid, gid = node.gid } = wanted(node);
      if (Number.isNaN(mode)) return WOULD_CHANGE;
      if (mode === node.mode && uid === node.uid && gid === node.gid) continue;
      if (node.type === 'file' && !draft.readable(node.path)) return WOULD_CHANGE;
      applies.push(() => draft.setAttributes(node.path, { mode, uid, gid }));
    }
    return applies.length === 0 ? answer(true) : changes('files', () => applies.forEach((apply) => apply()));
  });
}

const ln: Command = (call) => {
  const options = parseOptions(call.args, 't target-directory S suffix');
  const { draft, context } = call.scene;
  const [target = '', name = baseNameOf(target)] = options.operands;
  if (hasFlag(options, 't', 'r', 'relative', 'b', 'backup') || options.operands.length > 2)
    return WOULD_CHANGE;
  if (!isKnown(target)) return WOULD_CHANGE;
  return eachPath(call, [name], (given) => {
    const linkedDirectory = hasFlag(options, 'n', 'no-dereference', 'T', 'no-target-directory')
      ? draft.lookup(given)
      : draft.follow(given);
    const inside = linkedDirectory?.type === 'directory' && !hasFlag(options, 'T');
    const path = draft.resolve(inside ? `${given}/${baseNameOf(target)}` : given);
    const existing = draft.lookup(path);
    const symbolic = hasFlag(options, 's', 'symbolic');
    if (symbolic && existing?.type === 'symlink' && existing.link === target) return answer(true);
    if (existing && !hasFlag(options, 'f', 'force')) return undefined;
    if (existing?.type === 'directory') return undefined;
    if (!symbolic) return WOULD_CHANGE;
    return changes('files', () =>
      draft.put(path, { type: 'symlink', mode: 0o777, uid: 0, gid: 0, mtime: context.epoch, link: target }),
    );
  });
};

const touch: Command = (call) => {
  const options = parseOptions(call.args, 'd date t r reference');
  const { draft } = call.scene;
  return eachPath(call, options.operands, (path) => {
    if (draft.follow(path) || hasFlag(options, 'c', 'no-create')) return answer(true);
    return changes('files', () => putFile(call.scene, path, new Uint8Array()));
  });
};

const cp: Command = (call) => {
  const options = parseOptions(call.args, 't target-directory S suffix');
  const { draft } = call.scene;
  const preserves = hasFlag(options, 'p', 'a', 'archive') || valueOf(options, 'preserve') !== undefined;
  if (hasFlag(options, 't', 'target-directory', 'b', 'backup', 's', 'l', 'd', 'P')) return WOULD_CHANGE;
  return fromTo(call, options.operands, (source, path) => {
    const existing = draft.follow(path);
    if (existing && hasFlag(options, 'n', 'no-clobber', 'u', 'update')) return answer(true);
    return copyFile(call.scene, source, path, preserves ? source : (existing ?? { ...source, ...CREATED }));
  });
};

/** What a copy has of its own, apart from the mode. */
const CREATED = { uid: 0, gid: 0 };

function copyFile(
  scene: Scene,
  source: RootNode,
  path: string,
  { mode, uid, gid }: Pick<RootNode, 'mode' | 'uid' | 'gid'>,
): Outcome {
  const { draft, context } = scene;
  if (source.type !== 'file') return WOULD_CHANGE;
  const existing = draft.follow(path);
  const same = existing?.sha256 === source.sha256 && existing.mode === mode;
  if (same && existing.uid === uid && existing.gid === gid) return answer(true);
  if (!draft.readable(source.path)) return WOULD_CHANGE;
  const content = draft.read(source.path) as Uint8Array;
  const bits = existing ? mode : mode & 0o7755;
  return changes('files', () =>
    draft.put(followed(draft, path), { type: 'file', mode: bits, uid, gid, mtime: context.epoch, content }),
  );
}

/** One source, one destination; a directory means a file of the same name in it. */
function fromTo(
  call: Call,
  operands: readonly string[],
  judge: (source: RootNode, path: string) => Outcome,
): Outcome {
  const { draft } = call.scene;
  const [from = '', to = '', ...others] = operands;
  if (others.length > 0 || !isKnown(from)) return WOULD_CHANGE;
  const sourcePath = absolute(from, call.directory);
  if (from === '/dev/null') return WOULD_CHANGE;
  if (isTransient(sourcePath))
    return isTransient(absolute(to, call.directory)) ? answer(undefined) : WOULD_CHANGE;
  if (isObscure(sourcePath)) return WOULD_CHANGE;
  const source = call.name === 'mv' ? draft.lookup(sourcePath) : draft.follow(sourcePath);
  if (!source) return answer(false);
  return eachPath(call, [to], (path) =>
    judge(
      source,
      draft.follow(path)?.type === 'directory' ? `${path.replace(/\/+$/, '')}/${baseNameOf(from)}` : path,
    ),
  );
}

const mv: Command = (call) => {
  const options = parseOptions(call.args, 't target-directory S suffix');
  const { draft } = call.scene;
  if (hasFlag(options, 't', 'target-directory', 'b', 'backup')) return WOULD_CHANGE;
  return fromTo(call, options.operands, (source, path) => {
    const target = draft.resolve(path);
    if (draft.lookup(target) && hasFlag(options, 'n', 'no-clobber')) return answer(true);
    const node = movable(draft, source);
    if (!node || target === source.path) return WOULD_CHANGE;
    return changes('files', () => {
      draft.put(target, node);
      draft.remove(source.path);
    });
  });
};

function movable(draft: Draft, source: RootNode): NewNode | undefined {
  const { type, mode, uid, gid, mtime, xattrs, link } = source;
  const common = { mode, uid, gid, mtime, xattrs };
  if (type === 'symlink') return { ...common, type, link };
  if (type !== 'file' || !draft.readable(source.path)) return undefined;
  return { ...common, type, content: draft.read(source.path) as Uint8Array };
}

const install: Command = (call) => {
  const options = parseOptions(call.args, 'm mode o owner g group t target-directory S suffix');
  const { draft } = call.scene;
  const mode = changeMode(valueOf(options, 'm', 'mode') ?? '755', 0, false);
  const uid = userId(draft, valueOf(options, 'o', 'owner') ?? '0');
  const gid = groupId(draft, valueOf(options, 'g', 'group') ?? '0');
  if (mode === undefined || hasFlag(options, 't', 'target-directory')) return WOULD_CHANGE;
  if (uid === undefined || gid === undefined) return answer(false);
  const wanted = { mode, uid, gid };
  const [from = '', to = ''] = options.operands;
  if (!hasFlag(options, 'd', 'directory')) {
    if (from !== '/dev/null')
      return fromTo(call, options.operands, (source, path) => copyFile(call.scene, source, path, wanted));
    return eachPath(call, [to], (path) =>
      holds(draft.follow(path), '')
        ? answer(true)
        : changes('files', () => putFile(call.scene, path, new Uint8Array(), wanted)),
    );
  }
  return eachPath(call, options.operands, (path) => {
    const node = draft.follow(path);
    if (node?.type === 'directory' && node.mode === mode && node.uid === uid && node.gid === gid)
      return answer(true);
    if (node && node.type !== 'directory') return undefined;
    return changes('files', () =>
      draft.put(followed(draft, path), { type: 'directory', ...wanted, mtime: call.scene.context.epoch }),
    );
  });
};

/** Output that goes to a file. */
export function writeFile(
  scene: Scene,
  { path, text, append }: { readonly path: string; readonly text: string; readonly append: boolean },
): Outcome {
  const { draft } = scene;
  if (isTransient(path)) return answer(true);
  if (isObscure(path) || !isKnown(text)) return WOULD_CHANGE;
  const node = draft.follow(path);
  if (node && (append ? text === '' : holds(node, text))) return answer(true);
  if (node && node.type !== 'file') return WOULD_CHANGE;
  if (append && node && !draft.readable(node.path)) return WOULD_CHANGE;
  const old = append && node ? (draft.read(node.path) as Uint8Array) : new Uint8Array();
  return changes('files', () => putFile(scene, path, Buffer.concat([old, fromByteString(text)])));
}

function putFile(
  { draft, context }: Scene,
  path: string,
  content: Uint8Array,
  attributes?: Pick<NewNode, 'mode' | 'uid' | 'gid'>,
): void {
  const { mode, uid, gid } = attributes ?? draft.follow(path) ?? { mode: 0o644, ...CREATED };
  draft.put(followed(draft, path), { type: 'file', mode, uid, gid, mtime: context.epoch, content });
}

export const FILE_COMMANDS: CommandTable = {
  rm,
  unlink: rm,
  rmdir,
  mkdir,
  chmod,
  chown,
  chgrp: chown,
  ln,
  touch,
  cp,
  mv,
  install,
  mktemp: ({ args }) =>
    args.includes('-t') || !args.some((arg) => arg.startsWith('/') && !isTransient(arg))
      ? answer(true, '/tmp/tmp.XXXXXX\n')
      : WOULD_CHANGE,
  tempfile: () => answer(true, '/tmp/tmp.XXXXXX\n'),
  sync: NOTHING,
  restorecon: NOTHING,
  chcon: NOTHING,
  // capabilities are carried over when a package is unpacked
  setcap: (call) => {
    const [, ...paths] = call.args.filter((arg) => !arg.startsWith('-'));
    return eachPath(call, paths, (path) =>
      call.scene.draft.follow(path)?.xattrs.has('security.capability') === true ? answer(true) : WOULD_CHANGE,
    );
  },
};
