// A link group of Debian's update-alternatives: its record in var/lib/dpkg/alternatives/NAME, and how the tool changes
// it. dpkg utils/update-alternatives.c; what becomes of the links on disk is in alternatives.ts.

/** A link that follows the choice of the group. */
export interface Follower {
  readonly name: string;
  readonly link: string;
}

export interface Choice {
  readonly path: string;
  readonly priority: number;
  /** Files of followers by their names. */
  readonly files: ReadonlyMap<string, string>;
}

export interface LinkGroup {
  readonly isAutomatic: boolean;
  readonly link: string;
  readonly followers: readonly Follower[];
  readonly choices: readonly Choice[];
}

/** Reads a record; undefined if it is broken. */
export function readLinkGroup(text: string): LinkGroup | undefined {
  const lines = text.split('\n');
  let at = 0;
  const next = (): string => lines[at++] ?? '';
  const status = next();
  const link = next();
  if ((status !== 'auto' && status !== 'manual') || !link.startsWith('/')) return undefined;
  const followers: Follower[] = [];
  for (let name = next(); name !== ''; name = next()) followers.push({ name, link: next() });
  const choices: Choice[] = [];
  for (let path = next(); path !== ''; path = next()) {
    const priority = next();
    if (!/^-?\d+$/.test(priority)) return undefined;
    const files = followers.map(({ name }): [string, string] => [name, next()]);
    choices.push({
      path,
      priority: Number(priority),
      files: new Map(files.filter(([, file]) => file !== '')),
    });
  }
  return { isAutomatic: status === 'auto', link, followers, choices };
}

/** Followers and choices are sorted; followers that no choice has a file for are left out. */
export function writeLinkGroup(group: LinkGroup): string {
  const followers = group.followers
    .filter(({ name }) => group.choices.some(({ files }) => files.has(name)))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const choices = [...group.choices].sort((a, b) => (a.path < b.path ? -1 : 1));
  const lines = [
    group.isAutomatic ? 'auto' : 'manual',
    group.link,
    ...followers.flatMap(({ name, link }) => [name, link]),
    '',
    ...choices.flatMap(({ path, priority, files }) => [
      path,
      String(priority),
      ...followers.map(({ name }) => files.get(name) ?? ''),
    ]),
    '',
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** The choice of the highest priority, of equal ones the one in use or else the first. */
export function bestChoice({ choices }: LinkGroup, current: string | undefined): Choice | undefined {
  let best = choices.find(({ path }) => path === current);
  for (const choice of choices) if (!best || choice.priority > best.priority) best = choice;
  return best;
}

/** With a choice more, or one changed; followers are added or get another link. */
export function withChoice(
  group: LinkGroup,
  {
    link,
    followers,
    choice,
  }: { readonly link: string; readonly followers: readonly Follower[]; readonly choice: Choice },
): LinkGroup {
  const known = new Map(group.followers.map((follower) => [follower.name, follower]));
  for (const follower of followers) known.set(follower.name, follower);
  const choices = group.choices.some(({ path }) => path === choice.path)
    ? group.choices.map((other) => (other.path === choice.path ? choice : other))
    : [...group.choices, choice];
  return { ...group, link, followers: [...known.values()], choices };
}

export function withoutChoice(group: LinkGroup, path: string): LinkGroup {
  return { ...group, choices: group.choices.filter((choice) => choice.path !== path) };
}
