// Where the image comes from and where the result goes: -i, -t, --push, --oci-dir and --loader become open stores.
import { realpath } from 'node:fs/promises';
import { OnlayError } from '../errors.ts';
import { formatReference, isTag, parseReference, referenceTo } from '../oci/reference.ts';
import type { PatchSource, PatchTarget } from '../patch/options.ts';
import { formatTarget, nameOf, openStore, parseTransport, pointOf } from '../stores/index.ts';
import type { StoreOptions, Target } from '../stores/index.ts';
import type { ApplyFlags } from './options.ts';

export interface OpenSource extends PatchSource, AsyncDisposable {
  readonly target: Target;
  /** For the base annotation: fully qualified, registries only, so that local names do not change digests. */
  readonly baseName: string | undefined;
}

export type OpenTarget = PatchTarget & AsyncDisposable;

/** `destinationFlags`: of a run that will write; one token serves both when that is in the same repository. */
export async function openSource(
  image: string,
  { stores }: { readonly stores: StoreOptions },
  destinationFlags?: DestinationFlags,
): Promise<OpenSource> {
  const target = parseTransport(image);
  const access = destinationFlags && staysInRepository(destinationFlags, target) ? 'push' : 'pull';
  const store = await openStore(target, { ...stores, registry: { ...stores.registry, access } }, 'read');
  return {
    store,
    ...pointOf(target),
    name: formatTarget(target),
    target,
    baseName: target.kind === 'registry' ? formatReference(target.reference) : undefined,
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

type DestinationFlags = Pick<ApplyFlags, 'tag' | 'tagSuffix' | 'push' | 'ociDir' | 'loader'>;

/** Opens the destination that the flags name. Throws USAGE where they do not say, or name two. */
export async function openTarget(
  flags: DestinationFlags,
  source: OpenSource,
  session: { readonly stores: StoreOptions },
): Promise<OpenTarget> {
  const known = nameOf(source.target) === undefined ? ((await source.store.tags?.()) ?? []) : [];
  const [only, ...others] = known;
  const target = destination(
    flags,
    only !== undefined && others.length === 0 ? withName(source.target, only) : source.target,
  );
  const tag = nameOf(target) ?? (isArchive(target) ? '' : undefined);
  if (tag === undefined) throw untagged(formatTarget(target));
  const options = session.stores;
  if (target.kind === 'stream' && options.stdout.isTTY)
    throw new OnlayError('USAGE', 'An image archive is not written to a terminal', {
      hint: 'redirect standard output to a file, or pipe it to: docker load',
    });
  await refuseLosing(source, target);
  const registry = { ...options.registry, access: 'push' as const };
  const store = await openStore(target, { ...options, registry }, 'write');
  return {
    store,
    tag,
    name: formatTarget(target),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

/** An archive is written as a whole: where it holds several images, a patched one in its place would be all that is left. */
async function refuseLosing(source: OpenSource, target: Target): Promise<void> {
  if (source.target.kind !== 'archive' || target.kind !== 'archive') return;
  const [from, to] = await Promise.all(
    [source.target.file, target.file].map((file) => realpath(file).catch(() => file)),
  );
  if (from !== to || ((await source.store.tags?.()) ?? []).length < 2) return;
  throw new OnlayError('TARGET_REFUSED', `${target.file} holds other images, which would be lost`, {
    hint: 'write to another file',
  });
}

/** True when the result itself goes to standard output, so that nothing else may. */
export function takesStandardOutput({ tag }: DestinationFlags): boolean {
  return tag !== undefined && hasTransport(tag) && parseTransport(tag).kind === 'stream';
}

/** Throws USAGE unless exactly one destination is given; called before anything is opened. */
export function requireDestination(flags: DestinationFlags & { readonly json?: boolean }): void {
  const given = [
    ...(flags.push ? ['--push'] : []),
    ...(hasTransport(flags.tag) ? [`-t ${flags.tag}`] : []),
    ...(flags.ociDir === undefined ? [] : ['--oci-dir']),
    ...(flags.loader === undefined ? [] : ['--loader']),
  ];
  if (given.length === 0)
    throw new OnlayError('USAGE', 'No destination is given', {
      hint: 'give one of --push, -t with a transport (as oci:DIR:TAG), --oci-dir DIR, --loader docker|podman; or --dry-run',
    });
  const docker = flags.push && flags.tag?.startsWith('docker://') && given.length === 2;
  if (given.length > 1 && !docker)
    throw new OnlayError('USAGE', `${given.join(' and ')} are different destinations`, {
      hint: 'run once for each',
    });
  if (flags.json && takesStandardOutput(flags))
    throw new OnlayError('USAGE', 'Standard output cannot take both the image and the result of --json', {
      hint: 'write the image to a file: -t docker-archive:FILE',
    });
}

function hasTransport(tag: string | undefined): boolean {
  return (
    tag !== undefined &&
    /^(?:-$|docker:\/\/|(?:oci|oci-archive|docker-archive|docker-daemon|podman):)/.test(tag)
  );
}

function destination(flags: DestinationFlags, source: Target): Target {
  if (flags.tag !== undefined && hasTransport(flags.tag)) {
    const target = parseTransport(flags.tag);
    const nameless = source.kind !== 'registry' && nameOf(source) === undefined;
    if (nameOf(target) !== undefined || (nameless && isArchive(target))) return target;
    return withName(target, defaultName(flags, source, target));
  }
  if (flags.ociDir !== undefined) {
    const tag = flags.tag === undefined ? defaultTag(flags, source) : tagOf(flags.tag);
    return { kind: 'layout', directory: flags.ociDir, tag };
  }
  if (flags.loader !== undefined)
    return { kind: 'daemon', program: flags.loader, image: imageName(flags, source) };
  return pushed(flags, source);
}

function staysInRepository(flags: DestinationFlags, source: Target): boolean {
  if (source.kind !== 'registry') return false;
  const target = destination(flags, source);
  if (target.kind !== 'registry') return false;
  const [from, to] = [source.reference, target.reference];
  return from.domain === to.domain && from.path === to.path;
}

/** --push: a bare tag moves in the source's repository, anything else is a full reference. */
function pushed(flags: DestinationFlags, source: Target): Target {
  if (flags.tag !== undefined && !isTag(flags.tag)) {
    const reference = parseReference(flags.tag);
    if (reference.tag === undefined) throw untagged(flags.tag);
    return { kind: 'registry', reference };
  }
  if (source.kind !== 'registry')
    throw new OnlayError(
      'USAGE',
      `${formatTarget(source)} is in no registry, so --push needs to know where to`,
      {
        hint: 'give a full reference: -t registry.example/team/name:tag --push',
      },
    );
  return {
    kind: 'registry',
    reference: referenceTo(source.reference, { tag: flags.tag ?? defaultTag(flags, source) }),
  };
}

function withName(target: Target, name: string): Target {
  switch (target.kind) {
    case 'registry':
      return { ...target, reference: referenceTo(target.reference, { tag: name }) };
    case 'layout':
      return { ...target, tag: name };
    case 'archive':
    case 'stream':
      return { ...target, image: name };
    case 'daemon':
      return target;
    default:
      return target satisfies never;
  }
}

/** What keeps images without a name, as `docker save ID` writes them. */
function isArchive({ kind }: Target): boolean {
  return kind === 'archive' || kind === 'stream';
}

function defaultName(flags: DestinationFlags, source: Target, target: Target): string {
  const docker = (target.kind === 'archive' || target.kind === 'stream') && target.format === 'docker';
  return docker ? imageName({ ...flags, tag: undefined }, source) : defaultTag(flags, source);
}

/** A name as daemons know it: repository and tag. */
function imageName(
  flags: Pick<DestinationFlags, 'tag' | 'tagSuffix'> | (Omit<DestinationFlags, 'tag'> & { tag: undefined }),
  source: Target,
): string {
  if (flags.tag !== undefined && !isTag(flags.tag)) return flags.tag;
  const tag = flags.tag ?? defaultTag(flags, source);
  if (source.kind === 'registry') return formatReference(referenceTo(source.reference, { tag }), 'familiar');
  const name = source.kind === 'layout' ? source.tag : source.image;
  const repository =
    name?.includes('/') || name?.includes(':') ? name.replace(/:[^/:]*$/, '') : 'localhost/patched';
  return `${repository}:${tag}`;
}

/** The tag of the source with the suffix. */
function defaultTag(flags: Pick<DestinationFlags, 'tagSuffix'>, source: Target): string {
  const tag =
    source.kind === 'registry' && source.reference.digest === undefined
      ? (source.reference.tag ?? 'latest')
      : nameOf(source);
  if (tag === undefined) throw untagged(formatTarget(source));
  return `${tagOf(tag)}-${flags.tagSuffix === '' ? 'patched' : flags.tagSuffix}`;
}

/** The tag of a name that may be a whole reference. */
function tagOf(name: string): string {
  return isTag(name) ? name : (parseReference(name).tag ?? 'latest');
}

function untagged(name: string): OnlayError {
  return new OnlayError('USAGE', `${name} has no tag, so the result has no name`, {
    hint: 'name it with -t TAG',
  });
}
