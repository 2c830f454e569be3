// Names of images in layouts and archives. `org.opencontainers.image.ref.name` holds a tag (umoci, skopeo) or a whole
// reference (older Docker, containerd, which also write `io.containerd.image.name`); users may give either.
import { OnlayError } from '../errors.ts';
import type { Descriptor, JsonObject } from '../oci/manifest.ts';
import { formatReference, isTag, parseReference, referenceTo } from '../oci/reference.ts';

export const REF_NAME = 'org.opencontainers.image.ref.name';
export const CONTAINERD_NAME = 'io.containerd.image.name';

/** Something that can be asked for by any of its names. */
export interface Named {
  readonly descriptor: Descriptor;
  readonly names: readonly string[];
}

/** The names an entry of index.json has, the longest form first. */
export function namesOf(descriptor: Descriptor): readonly string[] {
  const names = [descriptor.annotations[CONTAINERD_NAME], descriptor.annotations[REF_NAME]];
  return names.filter((name): name is string => name !== undefined && name !== '');
}

/**
 * The annotations that give an entry the name, a tag or a reference. For references 'oci' keeps the spelling, which
 * umoci and skopeo look for; 'docker' writes what Docker and containerd do. Throws REFERENCE_INVALID.
 */
export function nameAnnotations(name: string, style: 'oci' | 'docker'): JsonObject {
  const full = isReference(name) ? fullName(name) : undefined;
  if (full !== undefined)
    return {
      [CONTAINERD_NAME]: full,
      [REF_NAME]: style === 'oci' ? name : (parseReference(full).tag ?? 'latest'),
    };
  if (isTag(name) || GRAMMAR.test(name)) return { [REF_NAME]: name };
  throw new OnlayError('REFERENCE_INVALID', `Cannot name an image ${JSON.stringify(name.slice(0, 100))}`, {
    hint: 'give a tag, or a reference as name:tag',
  });
}

// image-spec annotations.md
const GRAMMAR = /^[A-Za-z0-9]+(?:(?:[-._:@/+]|--)[A-Za-z0-9]+)*$/;

/**
 * The entry a user means with `wanted`: exactly so named, else the same reference written otherwise ("nginx" for
 * docker.io/library/nginx:latest), else the only one with this tag. Without `wanted`: the only entry, else "latest".
 * Throws IMAGE_NOT_FOUND with the names there are.
 */
export function findNamed<T extends Named>(
  entries: readonly T[],
  wanted: string | undefined,
  where: string,
): T {
  const found = wanted === undefined ? findDefault(entries) : find(entries, wanted);
  if (found) return found;
  const names = [...new Set(entries.flatMap((entry) => entry.names.slice(0, 1)))];
  const message =
    wanted === undefined
      ? `${where} holds ${entries.length} images and none was chosen`
      : `${where} has no image ${JSON.stringify(wanted.slice(0, 200))}`;
  throw new OnlayError('IMAGE_NOT_FOUND', message, {
    hint: names.length === 0 ? 'no image in it has a name' : `it has ${names.slice(0, 50).join(', ')}`,
  });
}

function findDefault<T extends Named>(entries: readonly T[]): T | undefined {
  const different = new Set(entries.map((entry) => entry.descriptor.digest));
  return different.size === 1 ? entries[0] : find(entries, 'latest');
}

function find<T extends Named>(entries: readonly T[], wanted: string): T | undefined {
  const exact = entries.find((entry) => entry.names.includes(wanted));
  if (exact) return exact;
  const full = fullName(wanted);
  const same =
    full === undefined
      ? undefined
      : entries.find((entry) => entry.names.some((name) => fullName(name) === full));
  if (same || !isTag(wanted)) return same;
  const tagged = entries.filter((entry) => entry.names.some((name) => tagOf(name) === wanted));
  return new Set(tagged.map((entry) => entry.descriptor.digest)).size === 1 ? tagged[0] : undefined;
}

/** The fully qualified form of a reference, with its tag; undefined for what is no reference or only a tag. */
export function fullName(name: string): string | undefined {
  try {
    const reference = parseReference(name);
    const { tag, digest } = reference;
    return tag === undefined && digest === undefined
      ? String(referenceTo(reference, { tag: 'latest' }))
      : String(reference);
  } catch (error) {
    if (error instanceof OnlayError) return undefined;
    throw error;
  }
}

/** As `docker images` shows it, for RepoTags; undefined for a tag alone or a digest. */
export function repoTag(name: string): string | undefined {
  const full = isReference(name) ? fullName(name) : undefined;
  const reference = full === undefined ? undefined : parseReference(full);
  if (reference?.tag === undefined) return undefined;
  return formatReference(referenceTo(reference, { tag: reference.tag }), 'familiar');
}

function tagOf(name: string): string | undefined {
  return isReference(name) ? parseReference(fullName(name) as string).tag : undefined;
}

// "nginx" may be a tag as well as a name: only what cannot be a tag is taken for a reference
function isReference(name: string): boolean {
  if (isTag(name)) return false;
  try {
    parseReference(name);
    return true;
  } catch (error) {
    if (error instanceof OnlayError) return false;
    throw error;
  }
}
