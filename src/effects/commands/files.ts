// Commands that write, copy, move and remove files: rm, rmdir, touch, cp, mv, install, and redirections to files. They
// are not carried out, but for rmdir: compared with the image as it will be they change nothing, or they are reported.
// https://pubs.opengroup.org/onlinepubs/9799919799/utilities/
import type { Draft } from '../../rootfs/draft.ts';
import { parentOf, type RootPath } from '../../rootfs/path.ts';
import type { RootNode } from '../../rootfs/root-view.ts';
import { isKnown } from '../shell/unknown.ts';
import { linesOf } from './accounts-file.ts';
import { makeDirectories, ownerOf } from './attributes.ts';
import {
  absolute,
  answer,
  baseNameOf,
  changes,
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
import { eachPath } from './paths.ts';

const rm: Command = (call) => {
  const options = parseOptions(call.args);
  return eachPath(call, options.operands, (path) => {
    const node = call.scene.draft.lookup(path);
    if (!node || isShipped(path, call.scene)) return answer(hasFlag(options, 'f', 'force'));
    return node.type === 'directory' && !hasFlag(options, 'r', 'R', 'recursive') ? undefined : WOULD_CHANGE;
  });
};

/** What a script removes before the new files come, and they bring anew. */
function isShipped(path: string, { phase, context, script, draft }: Scene): boolean {
  if (phase !== 'before' || context.family !== 'dpkg') return false;
  return [script.package, `${script.package}:${script.arch ?? ''}`].some((name) =>
    linesOf(draft, `var/lib/dpkg/info/${name}.list`).includes(path),
  );
}

const rmdir: Command = (call) => {
  const options = parseOptions(call.args);
  const { draft } = call.scene;
  return eachPath(call, options.operands, (path) => {
    const empty = emptyDirectories(draft, path, hasFlag(options, 'p', 'parents'));
    const [first] = empty;
    if (first === undefined) return answer(hasFlag(options, 'ignore-fail-on-non-empty'));
    return changes('files', () => empty.forEach((directory) => draft.remove(directory)));
  });
};

/** The directory, if nothing is in it, and with `parents` those that hold nothing else. */
function emptyDirectories(draft: Draft, path: string, parents: boolean): readonly string[] {
  const node = draft.lookup(path);
  if (node?.type !== 'directory' || draft.list(node.path).length > 0) return [];
  if (!parents) return [node.path];
  const found: RootPath[] = [node.path];
  for (let at = parentOf(node.path); at !== ''; at = parentOf(at)) {
    if (draft.list(at).length !== 1) break;
    found.push(at);
  }
  return found;
}

const touch: Command = (call) => {
  const options = parseOptions(call.args, 'd date t r reference');
  return eachPath(call, options.operands, (path) =>
    call.scene.draft.follow(path) || hasFlag(options, 'c', 'no-create') ? answer(true) : WOULD_CHANGE,
  );
};

const cp: Command = (call) => {
  const options = parseOptions(call.args, 't target-directory S suffix');
  if (hasFlag(options, 't', 'target-directory')) return WOULD_CHANGE;
  return fromTo(call, options.operands, (source, target) => {
    if (target && hasFlag(options, 'n', 'no-clobber', 'u', 'update')) return answer(true);
    const preserves = hasFlag(options, 'p', 'a', 'archive', 'preserve');
    return isCopy(source, target, preserves ? source : undefined) ? answer(true) : WOULD_CHANGE;
  });
};

/** True when `target` has the content of `source`, and the attributes that are wanted. */
function isCopy(
  source: RootNode,
  target: RootNode | undefined,
  wanted?: Pick<RootNode, 'mode' | 'uid' | 'gid'>,
): boolean {
  if (source.type !== 'file' || target?.type !== 'file' || source.sha256 !== target.sha256) return false;
  return !wanted || (target.mode === wanted.mode && target.uid === wanted.uid && target.gid === wanted.gid);
}

/** One source, one destination; a directory means a file of the same name in it. */
function fromTo(
  call: Call,
  operands: readonly string[],
  judge: (source: RootNode, target: RootNode | undefined) => Outcome,
): Outcome {
  const { draft } = call.scene;
  const [from = '', to = '', ...others] = operands;
  if (others.length > 0 || !isKnown(from)) return WOULD_CHANGE;
  const sourcePath = absolute(from, call.directory);
  if (isTransient(sourcePath))
    return isTransient(absolute(to, call.directory)) ? answer(undefined) : WOULD_CHANGE;
  if (isObscure(sourcePath)) return WOULD_CHANGE;
  const source = call.name === 'mv' ? draft.lookup(sourcePath) : draft.follow(sourcePath);
  if (!source) return answer(false);
  return eachPath(call, [to], (path) => {
    const target = draft.follow(path);
    return judge(source, target?.type === 'directory' ? draft.follow(`${path}/${baseNameOf(from)}`) : target);
  });
}

const mv: Command = (call) => {
  const options = parseOptions(call.args, 't target-directory S suffix');
  if (hasFlag(options, 't', 'target-directory')) return WOULD_CHANGE;
  return fromTo(call, options.operands, (_source, target) =>
    target && hasFlag(options, 'n', 'no-clobber') ? answer(true) : WOULD_CHANGE,
  );
};

const install: Command = (call) => {
  const options = parseOptions(call.args, 'm mode o owner g group t target-directory S suffix');
  const { draft } = call.scene;
  if (hasFlag(options, 't', 'target-directory')) return WOULD_CHANGE;
  const mode = changeMode(valueOf(options, 'm', 'mode') ?? '755', 0, false);
  const owner = ownerOf(draft, valueOf(options, 'o', 'owner') ?? '0', valueOf(options, 'g', 'group') ?? '0');
  if (mode === undefined) return WOULD_CHANGE;
  if (!owner) return answer(false);
  const wanted = { mode, ...owner };
  if (hasFlag(options, 'd', 'directory')) return makeDirectories(call, options.operands, wanted);
  const [from = '', to = ''] = options.operands;
  if (from === '/dev/null')
    return eachPath(call, [to], (path) => (holds(draft.follow(path), '') ? answer(true) : WOULD_CHANGE));
  return fromTo(call, options.operands, (source, target) =>
    isCopy(source, target, wanted) ? answer(true) : WOULD_CHANGE,
  );
};

/** Output that goes to a file. */
export function writeFile(
  { draft }: Scene,
  { path, text, append }: { readonly path: string; readonly text: string; readonly append: boolean },
): Outcome {
  if (isTransient(path)) return answer(true);
  if (isObscure(path) || !isKnown(text)) return WOULD_CHANGE;
  const node = draft.follow(path);
  return node && (append ? text === '' : holds(node, text)) ? answer(true) : WOULD_CHANGE;
}

const temporary: Command = ({ args }) =>
  args.some((arg) => arg === '-p' || arg.startsWith('--tmpdir=') || (arg.includes('/') && !isTransient(arg)))
    ? WOULD_CHANGE
    : answer(true, '/tmp/tmp.XXXXXX\n');

export const FILE_COMMANDS: CommandTable = {
  rm,
  unlink: rm,
  rmdir,
  touch,
  cp,
  mv,
  install,
  mktemp: temporary,
  tempfile: temporary,
  sync: NOTHING,
  restorecon: NOTHING,
  chcon: NOTHING,
};
