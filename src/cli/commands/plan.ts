// `onlay plan`: the pipeline up to the plan. Nothing is downloaded but signed indexes, nothing is written.
import { OnlayError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import { missingFixes } from '../../patch/patch-platform.ts';
import { patchImage } from '../../patch/patch.ts';
import type { PatchRun } from '../../patch/patch.ts';
import { serializePlans } from '../../plan/plan.ts';
import { exitStatus } from '../exit-codes.ts';
import type { RunStreams } from '../streams.ts';
import type { OutputFlags, PlanFlags, SourceFlags, TransportFlags } from '../options.ts';
import { planOnly, readPlanInputs } from '../pipeline.ts';
import { openSource } from '../places.ts';
import { errorDocument, showPlan } from '../result.ts';
import { openSession } from '../session.ts';

export async function plan(
  flags: SourceFlags & PlanFlags & TransportFlags & OutputFlags,
  streams: RunStreams,
): Promise<number> {
  await using session = await openSession(flags, streams);
  const { terminal } = session;
  const inputs = await readPlanInputs(flags, session);
  await using source = await openSource(flags.image, session);
  const run = await patchImage({ ...inputs, ...planOnly(source) });
  if (flags.json)
    streams.stdout.write(
      run.failure ? errorDocument(run.failure, terminal.warnings) : serializePlans(run.plans),
    );
  else showPlan(run, streams);
  const failure = run.failure ?? (flags.ignoreErrors ? undefined : shortfall(run));
  if (failure) terminal.error(failure.message, failure.hint);
  return failure ? exitStatus(failure) : 0;
}

/** What would stop `patch`: the plan is shown all the same. */
function shortfall({ outcome, plans }: PatchRun): OnlayError | undefined {
  const failed = outcome.image?.platforms.find(({ error }) => error)?.error;
  if (failed) return new OnlayError(failed.code as ErrorCode, failed.message, { hint: failed.hint });
  return plans.map(missingFixes).find((error) => error !== undefined);
}
