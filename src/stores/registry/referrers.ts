// Manifests that refer to another one by `subject`: distribution-spec, "Listing Referrers". Many registries have no such
// API; there the caller keeps the list itself, in the tag "sha256-…".
import { OnlayError } from '../../errors.ts';
import { digestOf, type Digest } from '../../oci/digest.ts';
import { makeDescriptor, MAX_DOCUMENT_SIZE, parseDocument, type Descriptor } from '../../oci/manifest.ts';
import { OCI_INDEX } from '../../oci/media-types.ts';
import type { Call, RegistryClient } from './client.ts';
import { ExchangeFailure } from './failure.ts';

const MAX_PAGES = 20;

/** undefined: the registry has no referrers API. */
export async function listReferrers(
  client: RegistryClient,
  subject: Digest,
): Promise<readonly Descriptor[] | undefined> {
  const found: Descriptor[] = [];
  let target: string | URL = `referrers/${subject}`;
  for (let page = 0; page < MAX_PAGES; page++) {
    const call: Call = {
      method: 'GET',
      target,
      doing: `list referrers of ${client.place}@${subject}`,
      need: { access: 'pull' },
      headers: { accept: OCI_INDEX },
    };
    const answer = await client.call(call);
    const type = answer.header('content-type')?.split(';', 1)[0]?.trim();
    // absent, or a web page instead of it
    if ([400, 404, 405, 501].includes(answer.status) || (answer.ok && type !== OCI_INDEX)) {
      await answer.discard();
      return page === 0 ? undefined : found;
    }
    if (!answer.ok) throw await client.refused(call, answer);
    const what = `Referrers of ${client.place}@${subject}`;
    const bytes = await answer.bytes({ limit: MAX_DOCUMENT_SIZE, what }).catch((error: unknown) => {
      throw error instanceof ExchangeFailure ? client.failure(error, call.doing) : error;
    });
    const parsed = parseDocument({
      descriptor: makeDescriptor(OCI_INDEX, digestOf(bytes), bytes.length),
      bytes,
    });
    if (parsed.kind === 'index') found.push(...parsed.manifests);
    const next = /<([^>]+)>\s*;[^,]*\brel="?next"?/.exec(answer.header('link') ?? '')?.[1];
    if (next === undefined) return found;
    if (!URL.canParse(next, answer.url.href) || new URL(next, answer.url).origin !== client.base().origin)
      throw new OnlayError('SERVER', `Cannot ${call.doing}: the next page is on another server`);
    target = new URL(next, answer.url);
  }
  return found;
}
