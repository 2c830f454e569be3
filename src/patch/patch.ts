// The pipeline, read top to bottom: open the image, patch each chosen platform in memory, then write the result. A
// failure anywhere before `push` leaves the target as it was.
import type { OnlayError } from '../errors.ts';
import { listImages } from '../oci/image.ts';
import type { IndexImage } from '../oci/image.ts';
import type { Document } from '../oci/image-store.ts';
import { formatPlatform } from '../oci/platform.ts';
import type { Plan } from '../plan/plan.ts';
import { attemptAll, failureOf, requireEncoder } from './attempt.ts';
import type { Attempt } from './attempt.ts';
import { chooseImages } from './choose-images.ts';
import type { PatchOptions, PatchTarget } from './options.ts';
import type { PlatformOutcome, Outcome } from './outcome.ts';
import { RESULT_VERSION } from './outcome.ts';
import { errorOutcome, failedOutcome, platformOutcome } from './platform-outcome.ts';
import { pushResult } from './push-result.ts';
import type { MovingTag } from './push-result.ts';

export interface PatchRun {
  readonly outcome: Outcome;
  readonly plans: readonly Plan[];
  /** What stopped the run; the outcome says how far it came. */
  readonly failure: OnlayError | undefined;
}

export async function patchImage(options: PatchOptions): Promise<PatchRun> {
  const { source, target, stopwatch } = options;
  const bytes = { pulled: 0, pushed: 0 };
  requireEncoder(options.compression);
  const document = await stopwatch.time('manifest', () => source.store.resolve(source));
  const images = await listImages(source.store, document);
  const chosen = chooseImages(images, { ...options, name: source.name });
  const attempts = await attemptAll(chosen, document, options, (count) => (bytes.pulled += count));
  const failure = failureOf(attempts, options);
  const patched = attempts.some((item) => item.kind === 'done' && item.result.appended !== undefined);
  // a base that moved is news even when nothing in it is left to patch
  const changed = !failure && !options.dryRun && (patched || options.rebased !== undefined);
  let final = document;
  if (changed && target) {
    const onPushed = (count: number): void => void (bytes.pushed += count);
    const { progress, log } = options;
    const context = { source: source.store, target: target.store, progress, log, onPushed };
    const moving = movingTag(target, options, document);
    final = await stopwatch.time('push', () => pushResult(context, document, attempts, moving));
  }
  return {
    failure,
    plans: attempts.flatMap((item) => (item.kind === 'done' ? [item.result.plan] : [])),
    outcome: {
      schemaVersion: RESULT_VERSION,
      tool: options.tool,
      changed: changed && target !== undefined,
      image: {
        source: source.name,
        sourceDigest: document.descriptor.digest,
        target: target?.name ?? null,
        digest: final.descriptor.digest,
        mediaType: final.descriptor.mediaType,
        platforms: images.map((listed) => outcomeOf(listed, attempts, options.dryRun)),
      },
      bytes: { ...bytes, fetched: options.fetched() },
      timings: stopwatch.timings,
      warnings: options.warnings,
      ...(failure && { error: errorOutcome(failure) }),
    },
  };
}

/** A tag that is read and written must still be what was read when it moves. */
function movingTag(target: PatchTarget, { source, rebased }: PatchOptions, document: Document): MovingTag {
  const read = rebased?.from ?? source;
  const digest = rebased?.digest ?? document.descriptor.digest;
  const same = read.store.identity === target.store.identity && read.tag === target.tag;
  return { name: target.tag, ...(same && { expected: digest }) };
}

function outcomeOf(listed: IndexImage, attempts: readonly Attempt[], dryRun: boolean): PlatformOutcome {
  const found = attempts.find((item) => item.listed.descriptor.digest === listed.descriptor.digest);
  if (found?.kind === 'done') return { ...platformOutcome(found.result, dryRun), platform: nameOf(listed) };
  return failedOutcome(listed, found?.kind === 'failed' ? found.error : undefined);
}

function nameOf({ platform }: IndexImage): string {
  return platform ? formatPlatform(platform) : 'unknown';
}
