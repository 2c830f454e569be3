// update-alternatives: links in /etc/alternatives and to them, and the records of dpkg in var/lib/dpkg/alternatives, as
// dpkg's utils/update-alternatives.c makes them. Of chkconfig's tool (rpm), whose records are another format, only what
// changes nothing is understood.
// https://manpages.debian.org/stable/dpkg/update-alternatives.1.en.html
import { byteString, fromByteString } from '../../base/bytes.ts';
import { isKnown, UNKNOWN } from '../shell/unknown.ts';
import { answer, changes, WOULD_CHANGE } from './command.ts';
import type { Call, Command, CommandTable, Outcome } from './command.ts';
import { bestChoice, readLinkGroup, withChoice, withoutChoice, writeLinkGroup } from './link-group.ts';
import type { Choice, Follower, LinkGroup } from './link-group.ts';

/** What is to be registered: the words after --install and --slave. */
interface Request {
  readonly link: string;
  readonly followers: readonly Follower[];
  readonly choice: Choice;
}

const updateAlternatives: Command = (call) => {
  if (!call.args.every(isKnown)) return WOULD_CHANGE;
  const args = call.args.filter((arg) => !/^--(?:quiet|verbose|debug|skip-auto)$/.test(arg));
  const at = args.findIndex((arg) => arg.startsWith('--') && arg !== '--slave');
  const action = args[at] ?? '';
  const [first = '', second = ''] = args.slice(at + 1);
  if (/^--(?:query|display|get-selections|version)$/.test(action)) return answer(undefined, UNKNOWN);
  const [, name] = action === '--install' ? [first, second] : ['', first];
  if (!/^[^/\s]+$/.test(name)) return answer(false);
  const record = text(call, name);
  if (call.scene.context.family !== 'dpkg') return ofChkconfig(call, action, args.slice(at + 1), record);
  const group = record === undefined ? undefined : readLinkGroup(record);
  if (record !== undefined && !group) return WOULD_CHANGE;
  const tool = new Tool(call, name, group);
  switch (action) {
    case '--install': {
      const request = readRequest(args.slice(at + 1));
      return request ? tool.install(request) : answer(false);
    }
    case '--remove':
      return comesBack(call, name, group, [second]) ?? tool.remove(second);
    case '--remove-all':
      return comesBack(call, name, group, group?.choices.map(({ path }) => path) ?? []) ?? tool.removeAll();
    case '--auto':
      return tool.automatic();
    case '--set':
      return tool.choose(second);
    case '--list':
      return group ? answer(true, group.choices.map(({ path }) => `${path}\n`).join('')) : answer(false);
    default:
      return WOULD_CHANGE;
  }
};

export const ALTERNATIVES_COMMANDS: CommandTable = {
  'update-alternatives': updateAlternatives,
  alternatives: updateAlternatives,
};

function readRequest(args: readonly string[]): Request | undefined {
  const [link = '', name = '', path = '', priority = '', ...rest] = args;
  const followers: Follower[] = [];
  const files = new Map<string, string>();
  for (; rest.length > 0; rest.splice(0, 4)) {
    const [option, followerLink = '', followerName = '', file = ''] = rest;
    if (option !== '--slave' || file === '' || followerName === name) return undefined;
    followers.push({ name: followerName, link: followerLink });
    files.set(followerName, file);
  }
  const paths = [link, path, ...files.values(), ...followers.map((follower) => follower.link)];
  if (!/^-?\d+$/.test(priority) || !paths.every((each) => each.startsWith('/'))) return undefined;
  return { link, followers, choice: { path, priority: Number(priority), files } };
}

/**
 * What is removed before an upgrade and installed again after it stays: whether the new script gets that far may not be
 * known. `undefined`: the removal is one.
 */
function comesBack(
  { scene }: Call,
  name: string,
  group: LinkGroup | undefined,
  paths: readonly string[],
): Outcome | undefined {
  const { phase, context, script, draft } = scene;
  const body = context.scripts.find(
    (other) => other.package === script.package && other.script === 'postinst',
  )?.body;
  const removed = paths.filter((path) => group?.choices.some((choice) => choice.path === path));
  const present = removed.some((path) => draft.follow(path) !== undefined);
  if (phase !== 'before' || body?.includes('--install') !== true || !present) return undefined;
  const isSame = [name, ...removed].every((word) => body.includes(word));
  return isSame && group?.isAutomatic ? answer(true) : WOULD_CHANGE;
}

/** One run of the tool on one group. */
class Tool {
  readonly #call: Call;
  readonly #name: string;
  readonly #group: LinkGroup | undefined;
  /** What the link in /etc/alternatives leads to. */
  readonly #current: string | undefined;

  constructor(call: Call, name: string, group: LinkGroup | undefined) {
    this.#call = call;
    this.#name = name;
    // choices whose file is gone are forgotten
    this.#group = group && { ...group, choices: group.choices.filter(({ path }) => this.#exists(path)) };
    this.#current = this.#target(`/etc/alternatives/${name}`);
  }

  install(request: Request): Outcome {
    const { link, choice, followers } = request;
    if (!this.#exists(choice.path)) return answer(false);
    const before = this.#moded(this.#group ?? { isAutomatic: true, link, followers: [], choices: [] });
    // links that get another place are moved, if they are in use
    const moved =
      before.link !== link ||
      followers.some(({ name, link: place }) =>
        before.followers.some((known) => known.name === name && known.link !== place),
      );
    if (moved) return WOULD_CHANGE;
    const after = withChoice(before, request);
    return this.#settle(after, after.isAutomatic ? bestChoice(after, this.#current)?.path : undefined);
  }

  remove(path: string): Outcome {
    if (!this.#group) return answer(true);
    const after = withoutChoice(this.#moded(this.#group), path);
    if (this.#current !== path) return this.#settle(after, undefined);
    return this.#settle({ ...after, isAutomatic: true }, bestChoice(after, this.#current)?.path);
  }

  removeAll(): Outcome {
    return this.#group ? this.#settle({ ...this.#group, choices: [] }, undefined) : answer(false);
  }

  automatic(): Outcome {
    if (!this.#group) return answer(false);
    const after = { ...this.#group, isAutomatic: true };
    return this.#settle(after, bestChoice(after, this.#current)?.path);
  }

  choose(path: string): Outcome {
    if (!this.#group?.choices.some((choice) => choice.path === path)) return answer(false);
    return this.#settle({ ...this.#group, isAutomatic: false }, path);
  }

  /** A link that someone turned elsewhere makes the group a manual one; a missing or dangling one, automatic. */
  #moded(group: LinkGroup): LinkGroup {
    const current = this.#current;
    if (current === undefined) return { ...group, isAutomatic: true };
    if (group.choices.some(({ path }) => path === current)) return group;
    return { ...group, isAutomatic: !this.#exists(current) };
  }

  /** Links for `chosen`, or what the links need to be in order, and the record. */
  #settle(group: LinkGroup, chosen: string | undefined): Outcome {
    const links = new Map<string, string | undefined>();
    if (group.choices.length === 0) this.#clear(group, links);
    else if (chosen !== undefined && chosen !== this.#current) this.#point(group, chosen, links);
    else if (this.#needsUpdate(group) && this.#current !== undefined)
      this.#point(group, this.#current, links);
    const { scene } = this.#call;
    const record = group.choices.length === 0 ? undefined : writeLinkGroup(group);
    const old = text(this.#call, this.#name);
    if (links.size === 0 && record === old) return answer(true);
    const isParentMissing = [...links].some(
      ([path, target]) => target !== undefined && scene.draft.follow(parent(path))?.type !== 'directory',
    );
    // the real tool fails then, and leaves things half done
    if (isParentMissing) return WOULD_CHANGE;
    return changes('alternatives', () => {
      const { draft, context } = scene;
      for (const [path, link] of links)
        if (link === undefined) draft.remove(path);
        else draft.put(path, { type: 'symlink', mode: 0o777, uid: 0, gid: 0, mtime: context.epoch, link });
      const path = `${folder(this.#call)}/${this.#name}`;
      if (record === undefined) draft.remove(path);
      else if (record !== old) {
        const content = fromByteString(record);
        draft.put(path, { type: 'file', mode: 0o644, uid: 0, gid: 0, mtime: context.epoch, content });
      }
    });
  }

  #clear(group: LinkGroup, links: Map<string, string | undefined>): void {
    for (const { name, link } of [{ name: this.#name, link: group.link }, ...group.followers]) {
      if (this.#target(link) !== undefined) links.set(link, undefined);
      if (this.#lookup(`/etc/alternatives/${name}`)) links.set(`/etc/alternatives/${name}`, undefined);
    }
  }

  /** Turns the links of the group to `path`; those of followers that it has no file for go. */
  #point(group: LinkGroup, path: string, links: Map<string, string | undefined>): void {
    const choice = group.choices.find((candidate) => candidate.path === path);
    if (!choice) return;
    this.#put(this.#name, group.link, path, links);
    for (const { name, link } of group.followers) {
      const file = this.#fileOf(choice, name);
      if (file !== undefined) this.#put(name, link, file, links);
      else {
        if (this.#target(link) !== undefined) links.set(link, undefined);
        if (this.#lookup(`/etc/alternatives/${name}`)) links.set(`/etc/alternatives/${name}`, undefined);
      }
    }
  }

  #put(name: string, link: string, file: string, links: Map<string, string | undefined>): void {
    const own = `/etc/alternatives/${name}`;
    if (this.#target(own) !== file) links.set(own, file);
    if (this.#isAmiss(link, own)) links.set(link, own);
  }

  #needsUpdate(group: LinkGroup): boolean {
    if (this.#isAmiss(group.link, `/etc/alternatives/${this.#name}`)) return true;
    const choice = group.choices.find(({ path }) => path === this.#current);
    return (
      choice !== undefined &&
      group.followers.some(({ name, link }) => {
        const own = `/etc/alternatives/${name}`;
        const file = this.#fileOf(choice, name);
        if (file === undefined) return this.#lookup(link) !== undefined || this.#lookup(own) !== undefined;
        return this.#target(own) !== file || this.#isAmiss(link, own);
      })
    );
  }

  /** True when there is nothing, or a link elsewhere; a file in the place of a link stays. */
  #isAmiss(link: string, target: string): boolean {
    const node = this.#lookup(link);
    return !node || (node.type === 'symlink' && node.link !== target);
  }

  #fileOf({ files }: Choice, name: string): string | undefined {
    const file = files.get(name);
    return file !== undefined && this.#exists(file) ? file : undefined;
  }

  #exists(path: string): boolean {
    return this.#call.scene.root.follow(path) !== undefined;
  }

  #lookup(path: string): ReturnType<Call['scene']['draft']['lookup']> {
    return this.#call.scene.draft.lookup(path);
  }

  /** Where a symlink leads. */
  #target(path: string): string | undefined {
    const node = this.#lookup(path);
    return node?.type === 'symlink' ? node.link : undefined;
  }
}

function parent(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 1));
}

function folder({ scene }: Call): string {
  return scene.context.family === 'dpkg' ? 'var/lib/dpkg/alternatives' : 'var/lib/alternatives';
}

function text(call: Call, name: string): string | undefined {
  const path = `${folder(call)}/${name}`;
  const { draft } = call.scene;
  if (!draft.follow(path)) return undefined;
  return draft.readable(path) ? byteString(draft.read(path) ?? new Uint8Array()) : '';
}

function ofChkconfig(
  call: Call,
  action: string,
  args: readonly string[],
  record: string | undefined,
): Outcome {
  const { draft } = call.scene;
  const has = (path: string): boolean => record !== undefined && `\n${record}`.includes(`\n${path}\n`);
  const [link = '', , path = ''] = args;
  switch (action) {
    case '--install':
      if (!draft.follow(path)) return answer(false);
      return has(path) && draft.follow(link) ? answer(true) : WOULD_CHANGE;
    case '--remove':
      return has(args[1] ?? '') ? WOULD_CHANGE : answer(true);
    case '--remove-all':
      return record === undefined ? answer(true) : WOULD_CHANGE;
    case '--auto':
      if (record === undefined) return answer(false);
      return record.startsWith('auto\n') ? answer(true) : WOULD_CHANGE;
    default:
      return WOULD_CHANGE;
  }
}
